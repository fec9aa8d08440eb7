"""The functions of the template."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chalicelib.settings import SETTINGS, Settings
from infra.deploy.layers.target import target
from infra.deploy.package import chalice_project
from infra.deploy.package import template as packaged
from infra.deploy.package.errors import PackageError
from infra.scaling import arithmetic
from tests.template.resolved import Resolved, Template

FUNCTIONS = {"APIHandler", "Compact", "Reconcile", "ReEmbed", "Export", "ImportFaces", "RebuildIndex", "Migrate"}


def _functions(stack: Resolved) -> dict[str, dict[str, Any]]:
    return stack.of_type("AWS::Lambda::Function")


def test_every_function_of_the_app_is_in_the_template(stack: Resolved) -> None:
    assert _functions(stack).keys() == FUNCTIONS


def test_runtime_and_architecture_match_the_layers(stack: Resolved) -> None:
    for function in _functions(stack).values():
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    for layer in stack.of_type("AWS::Lambda::LayerVersion").values():
        assert (layer["CompatibleRuntimes"], layer["CompatibleArchitectures"]) == (["python3.13"], ["arm64"])


def test_code_and_layers_come_from_the_artifact_bucket(stack: Resolved) -> None:
    for function in _functions(stack).values():
        assert function["Code"] == {"S3Bucket": {"Ref": "ArtifactBucket"}, "S3Key": {"Ref": "FunctionKey"}}
        assert function["Layers"] == [{"Ref": "DepsLayer"}, {"Ref": "ModelsLayer"}]
    assert {name: layer["Content"] for name, layer in stack.of_type("AWS::Lambda::LayerVersion").items()} == {
        f"{name}Layer": {"S3Bucket": {"Ref": "ArtifactBucket"}, "S3Key": {"Ref": f"{name}LayerKey"}}
        for name in ("Deps", "Models")
    }


def test_functions_have_their_memory_and_time_limits(stack: Resolved) -> None:
    sizes = {name: (function["MemorySize"], function["Timeout"]) for name, function in _functions(stack).items()}

    assert sizes == {
        "APIHandler": (1769, 29),  # API Gateway's limit
        "Compact": (1024, 290),  # scheduled every 300 s
        "Reconcile": (1769, 900),
        "ReEmbed": (1769, 900),
        "Export": (1769, 900),
        "ImportFaces": (1769, 900),
        "RebuildIndex": (1769, 900),
        "Migrate": (512, 900),
    }


def test_every_function_is_in_the_private_network(stack: Resolved) -> None:
    for function in _functions(stack).values():
        assert function["VpcConfig"] == {
            "SecurityGroupIds": [{"Ref": "FunctionsGroup"}],
            "SubnetIds": [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}],
        }


def _environment(stack: Resolved, function: str) -> dict[str, str]:
    """Return a function's environment, with a text in place of each value that only AWS knows."""
    variables = stack.properties(function)["Environment"]["Variables"]
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in variables.items()}


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_the_service_accepts_its_settings(stack: Resolved, function: str) -> None:
    environment = _environment(stack, function)
    powertools = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}

    assert environment.keys() - powertools <= {setting.name for setting in SETTINGS}
    settings = Settings.from_environment(environment | {"AWS_LAMBDA_FUNCTION_NAME": function})
    assert settings.model_dir == "/opt/models/sface"
    assert settings.token_ttl_seconds == 86_400
    assert json.loads(settings.tokens_table) == {"Ref": "TokensTable"}
    assert json.loads(settings.crops_bucket) == {"Ref": "CropsBucket"}
    assert (settings.gallery, settings.segments) == ("memory", "s3")
    assert (settings.max_image_bytes, settings.max_image_side_px) == (2_097_152, 4096)
    assert "VECTOR_BUCKET" not in environment


def test_the_database_is_reached_over_verified_tls_without_a_password(
    stack: Resolved, with_proxy: Resolved, packages: dict[str, Path]
) -> None:
    inside = zipfile.ZipFile(packages["dev"] / "function.zip").namelist()
    for resolved in (stack, with_proxy):
        for function in FUNCTIONS:
            url = _environment(resolved, function)["DATABASE_URL"]
            form = r"mysql://(\w+)@(\$\{[A-Za-z.]+\}):3306/facesearch\?ca=/var/task/(.+\.pem)&auth=iam"
            match = re.fullmatch(form, url)
            assert match, url
            user, host, roots = match.groups()
            proxied = resolved is with_proxy and function != "Migrate"
            assert user == ("face_search_owner" if function == "Migrate" else "face_search")
            assert host == ("${Proxy.Endpoint}" if proxied else "${Database.Endpoint.Address}")
            assert roots == f"chalicelib/stores/database/certificates/{'proxy' if proxied else 'eu-central-1'}.pem"
            assert roots in inside


def test_connections_never_run_out(template: Template) -> None:
    """Allows two connections per container, as ended ones keep theirs until wait_timeout, and ten for RDS."""
    assert set(template["Parameters"]["DatabaseClass"]["AllowedValues"]) == template["Mappings"]["Capacity"].keys()
    for database_class, capacity in template["Mappings"]["Capacity"].items():
        stack = Resolved(template, {"DatabaseClass": database_class})
        reserved = sum(int(function["ReservedConcurrentExecutions"]) for function in _functions(stack).values())
        connections = int(stack.properties("DatabaseParameters")["Parameters"]["max_connections"])

        assert 2 * reserved + 10 <= connections == int(capacity["Connections"])
        assert reserved == int(capacity["ApiConcurrency"]) + arithmetic.OTHER_FUNCTIONS
        assert int(stack.properties("ConnectionsAlarmed")["Threshold"]) == 0.8 * connections


def test_the_database_has_memory_for_its_buffers_its_connections_and_iam(template: Template) -> None:
    """Logins by IAM need 300 to 1,000 MiB, a connection up to 2, and MySQL and the system some 300."""
    memory_mib = {"db.t4g.small": 2048, "db.t4g.medium": 4096, "db.m7g.large": 8192, "db.r7g.large": 16384}

    assert memory_mib.keys() == template["Mappings"]["Capacity"].keys()
    for database_class, mib in memory_mib.items():
        parameters = Resolved(template, {"DatabaseClass": database_class}).properties("DatabaseParameters")[
            "Parameters"
        ]
        pool_mib, rest = divmod(int(parameters["innodb_buffer_pool_size"]), 2**20)

        # MySQL rounds the pool up to whole chunks of 128 MiB.
        assert (rest, pool_mib % 128) == (0, 0)
        assert mib / 8 < pool_mib <= mib - 1000 - 2 * int(parameters["max_connections"]) - 300


def test_every_function_reserves_concurrency_unless_that_is_turned_off(template: Template) -> None:
    without = Resolved(template, {"ReserveConcurrency": "false"})

    for name, function in _functions(Resolved(template, {})).items():
        assert int(function["ReservedConcurrentExecutions"]) == (60 if name == "APIHandler" else 1)
        assert "ReservedConcurrentExecutions" not in without.properties(name)


def test_compaction_and_reconciliation_are_scheduled(stack: Resolved) -> None:
    rules = stack.of_type("AWS::Events::Rule").values()

    assert {rule["Targets"][0]["Arn"]["Fn::GetAtt"][0]: rule["ScheduleExpression"] for rule in rules} == {
        "Compact": "rate(5 minutes)",
        "Reconcile": "rate(1 day)",
    }
    assert {
        permission["FunctionName"]["Ref"]: permission["Principal"]
        for permission in stack.of_type("AWS::Lambda::Permission").values()
    } == {
        "Compact": "events.amazonaws.com",
        "Reconcile": "events.amazonaws.com",
        "LiveAlias": "apigateway.amazonaws.com",
    }


def test_failed_runs_are_not_retried(stack: Resolved) -> None:
    configurations = stack.of_type("AWS::Lambda::EventInvokeConfig").values()

    assert {configuration["FunctionName"]["Ref"] for configuration in configurations} == FUNCTIONS - {"APIHandler"}
    assert {configuration["MaximumRetryAttempts"] for configuration in configurations} == {0}


def _merged() -> Template:
    return packaged.parts() | {"Resources": {name: {"Type": packaged.FUNCTION, "Properties": {}} for name in FUNCTIONS}}


def test_a_function_without_a_description_is_an_error() -> None:
    merged = _merged()
    merged["Resources"]["Greet"] = {"Type": packaged.FUNCTION, "Properties": {}}

    with pytest.raises(PackageError, match=r"functions\.yaml does not describe Greet of app\.py"):
        packaged.finish(merged, target("arm64", "python3.13"), ["dlib"])


def test_a_description_without_a_function_is_an_error() -> None:
    merged = _merged()
    del merged["Resources"]["Compact"]["Type"]

    with pytest.raises(PackageError, match=r"infra/deploy/template describes Compact, but app\.py does not define it"):
        packaged.finish(merged, target("arm64", "python3.13"), ["dlib"])


def test_credentials_of_the_local_stage_are_not_packaged(tmp_path: Path) -> None:
    chalice_project.copy(tmp_path / "project")

    assert "AWS_SECRET_ACCESS_KEY" in (chalice_project.ROOT / ".chalice" / "config.json").read_text(encoding="utf-8")
    assert "AWS_" not in (tmp_path / "project" / ".chalice" / "config.json").read_text(encoding="utf-8")
