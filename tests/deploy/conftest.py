"""A small but real packaged stage, and the commands that deploy it to moto's server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests

from infra.deploy.packaged_stage import ROOT
from tests.deploy import account_limits

if TYPE_CHECKING:  # moto takes seconds to import, so only functions import it
    from moto.cloudformation.models import ChangeSet, Stack
    from moto.s3.responses import S3Response

REGION = "eu-central-1"
STACK = "face-search-dev"
STAGES = Path("infra") / "deploy" / "stages"
PASSWORD = "not-to-be-printed"
TEMPLATE = Path(__file__).with_name("template.json")
# Method, bucket and expected owner of each S3 call.
S3_CALLS: list[tuple[str, str, str | None]] = []
# Each test has its own account and so its own state in moto.
_ACCOUNTS = count(200_000_000_000)


@dataclass
class Operator:
    """A user with a copy of the project and an account's credentials."""

    root: Path
    account: str
    endpoint: str
    environment: dict[str, str]
    session: Any = field(repr=False)
    # The events that `migrate` was invoked with, and its answer.
    events: list[Any] = field(default_factory=list)
    answer: Any = "the schema is at version 3"
    fails: bool = False
    # The versions and aliases that were asked for their health, and the statuses of those that do not answer 200.
    asked: list[str] = field(default_factory=list)
    health: dict[str, int] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.endpoint)

    def run(
        self, *arguments: str, module: str = "infra.deploy", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command as `make` does. An empty variable is removed from the environment."""
        given = self.environment | environment
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.root,
            env={name: value for name, value in given.items() if value},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def deploy(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("dev", *arguments, **environment)

    def deployed(self, *arguments: str) -> str:
        """Deploy, check for success, and return the output."""
        done = self.deploy(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def destroy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("dev", *arguments, module="infra.deploy.destroy")

    def package(self, **contents: str) -> None:
        """Write artifacts as `make package` does."""
        folder = self.root / "build" / "package" / "dev"
        for name, content in contents.items():
            (folder / f"{name}.zip").write_text(content)

    def change_template(self, **resources: Any) -> None:
        """Add resources to the template, or remove those given as None."""
        path = self.root / "build" / "package" / "dev" / "template.json"
        template = json.loads(path.read_text())
        template["Resources"] |= resources
        template["Resources"] = {name: value for name, value in template["Resources"].items() if value is not None}
        path.write_text(json.dumps(template))

    def invoke(self, name: str, _qualifier: Any, body: Any, _headers: Any, response_headers: Any) -> bytes:
        """Stand in for the functions, which moto cannot run without Docker."""
        qualifier = name.partition(":")[2]
        if qualifier:  # the deployment asks a version of the API's function for its health
            assert json.loads(body)["path"] == "/health"
            self.asked.append(qualifier)
            return json.dumps({"statusCode": self.health.get(qualifier, 200), "body": "{}"}).encode()
        self.events.append(json.loads(body))
        if self.fails:
            response_headers["x-amz-function-error"] = "Unhandled"
        return json.dumps(self.answer).encode()

    @property
    def backend(self) -> Any:
        """Return moto's CloudFormation of the account, so that tests can inject faults."""
        from moto.cloudformation.models import cloudformation_backends

        return cloudformation_backends[self.account][REGION]

    @property
    def stack(self) -> Stack:
        found: Stack = next(stack for stack in self.backend.stacks.values() if stack.name == STACK)
        return found

    def uploaded(self) -> dict[str, str]:
        """Return the keys in the artifact bucket and when each was written."""
        listed = self.client("s3").list_objects_v2(Bucket=f"face-search-artifacts-{self.account}-{REGION}")
        return {entry["Key"]: str(entry["LastModified"]) for entry in listed.get("Contents", [])}


@pytest.fixture(scope="session")
def moto_url(aws_endpoint: str) -> Iterator[str]:
    """Return the URL of moto's server, without Docker, under the only host name with which it finds templates in S3."""
    from moto.cloudformation.models import ChangeSet
    from moto.s3.responses import S3Response

    import tests.deploy.vector_buckets  # noqa: F401  # moto finds it once it is there
    from tests.deploy import function_versions

    function_versions.add_to_moto()
    account_limits.add_to_moto()
    url = aws_endpoint.replace("127.0.0.1", "localhost")
    requests.post(f"{url}/moto-api/config", json={"lambda": {"use_docker": False}}, timeout=60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ChangeSet, "apply", _apply_with_outputs)
        for method in ("_bucket_response", "_key_response"):
            patch.setattr(S3Response, method, _for_the_expected_owner(getattr(S3Response, method)))
        yield url


def _for_the_expected_owner(respond: Callable[[S3Response, Any, str], Any]) -> Callable[[S3Response, Any, str], Any]:
    """Make S3 refuse requests that name another owner than the bucket's, as AWS does and moto does not."""
    from moto.s3.models import s3_backends

    def responded(self: S3Response, request: Any, full_url: str) -> Any:
        expected = request.headers.get("x-amz-expected-bucket-owner")
        bucket = self.parse_bucket_name_from_url(request, full_url)
        _, owner = s3_backends.bucket_accounts.get(bucket, ("", None))
        S3_CALLS.append((request.method, bucket, expected))
        if expected and owner and expected != owner:
            return 403, {}, ""
        return respond(self, request, full_url)

    return responded


def _apply_with_outputs(self: ChangeSet) -> None:
    """Replace moto's method, which forgets the outputs and parameters of a stack created by a change set."""
    self.stack.resource_map.update(self.template_dict, self.parameters)
    self.stack.template, self.stack.parameters = self.template, self.parameters
    self.stack._parse_template()
    self.stack.output_map = self.stack._create_output_map()


@pytest.fixture
def operator(moto_url: str, tmp_path: Path) -> Operator:
    return new_operator(moto_url, tmp_path / "project")


def new_operator(url: str, root: Path) -> Operator:
    """Return the operator of an account without a deployment, with stage `dev` packaged."""
    shutil.copytree(
        ROOT / "infra" / "deploy", root / "infra" / "deploy", ignore=shutil.ignore_patterns("__pycache__", "stages")
    )
    (root / "infra" / "__init__.py").touch()
    (root / "chalicelib").symlink_to(ROOT / "chalicelib")
    stages, package = root / STAGES, root / "build" / "package" / "dev"
    stages.mkdir()
    package.mkdir(parents=True)
    (stages / "dev.toml").write_text('[parameters]\nGreeting = "hello"\n')
    shutil.copy(TEMPLATE, package)
    keys = {"FunctionKey": "function", "DepsLayerKey": "deps", "ModelsLayerKey": "models"}
    listed = {key: f"build/package/dev/{name}.zip" for key, name in keys.items()}
    (package / "artifacts.json").write_text(json.dumps(listed))
    made = operator_of(url, root, str(next(_ACCOUNTS)))
    # The secret that RDS creates for its master user.
    secret = json.dumps({"username": "master", "password": PASSWORD})
    made.client("secretsmanager").create_secret(Name="master-user", SecretString=secret)
    made.package(function="the function", deps="what it needs", models="the models")
    return made


def operator_of(url: str, root: Path, account: str) -> Operator:
    from moto.awslambda_simple.models import lambda_simple_backends

    sts = boto3.client("sts", endpoint_url=url, region_name=REGION)
    credentials = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/operator", RoleSessionName="test")[
        "Credentials"
    ]
    session = boto3.Session(
        credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"], REGION
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "NO_PROXY": "localhost,127.0.0.1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }
    operator = Operator(root, account, url, environment, session)
    functions: Any = lambda_simple_backends[account][REGION]
    functions.invoke = operator.invoke
    return operator
