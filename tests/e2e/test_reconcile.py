"""`make reconcile` beside a running stack, and the data that it leaves alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import boto3

from chalicelib.stores.database.base import Database
from tests.e2e import pictures
from tests.e2e.gallery_setting import on_s3_vectors
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import ROOT, environment, local_stack


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        check=False,
    )


def test_reconcile_checks_the_running_stacks_crops(tmp_path: Path) -> None:
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

        done = run("infra.local.operate", "reconcile", "--state", str(stack.state))

    index = "1 vectors compared with the index: 0 were missing, 0 different, 0 without a face; recall 1.0000"
    assert done.stdout == (
        "2 crops: 0 of 0 without a face deleted, 1 too new to judge; faces without a crop: 0"
        f"{'; ' + index if on_s3_vectors() else ''}\n"
    )


def test_however_many_deletes_any_number_of_crops(
    aws_endpoint: str, crops_bucket: str, database: Database, database_url: str
) -> None:
    settings = {
        "DATABASE_URL": database_url,
        "CROPS_BUCKET": crops_bucket,
        "AWS_ENDPOINT_URL": aws_endpoint,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }

    done = run("chalicelib.maintenance.operations", "reconcile", "--however-many", **settings)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("0 crops: 0 of 0 without a face deleted")
    assert run("chalicelib.maintenance.operations", "compact", "--however-many", **settings).returncode == 2


def test_the_vector_index_is_compared_and_rebuilt(tmp_path: Path) -> None:
    with local_stack(tmp_path / "state", GALLERY="s3vectors") as stack:
        api = HttpApi(stack.port)
        token = api.added(pictures.drawing(), "Ada")

        rebuilt = run("infra.local.operate", "rebuild-index", "--state", str(stack.state), GALLERY="s3vectors")
        compared = run("infra.local.operate", "reconcile", "--state", str(stack.state), GALLERY="s3vectors")

        assert rebuilt.stdout.endswith("1 vectors were written; searches ask the new vector index\n"), rebuilt.stderr
        assert "1 vectors compared with the index: 0 were missing, 0 different, 0 without a face; recall 1.0000" in (
            compared.stdout
        ), compared.stderr
        assert api.get("/search", face_token=token, threshold="0.65").status == 200
        gallery = api.get("/info").body["gallery"]
        assert (gallery["exact"], gallery["faces"], gallery["recall"]["share"]) == (False, None, 1.0)
