"""`make reconcile` beside a running stack, and what it does not touch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import boto3

from tests.e2e import pictures
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import ROOT, environment, local_stack


def test_crops_of_the_running_stack_are_looked_through(tmp_path: Path) -> None:
    with local_stack(tmp_path / "state") as stack:
        api = HttpApi(stack.port)
        api.added(pictures.drawing(), "Ada")
        endpoint = json.loads((stack.state / "stack.json").read_text())["endpoint"]
        s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        s3.put_object(Bucket="face-search-crops", Key="faces/0-nobodys.jpg", Body=b"jpeg")

        done = subprocess.run(
            [sys.executable, "-m", "infra.reconcile", "--state", str(stack.state)],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )

    assert done.stdout == "2 crops: 0 of 0 without a face deleted, 1 too young to tell; faces without a crop: 0\n"
