"""The account's quotas are checked before anything is created."""

from __future__ import annotations

import pytest

from infra.deploy import quotas
from infra.deploy.package import stage, template
from tests.deploy.account_limits import DATABASES, EXECUTIONS
from tests.deploy.conftest import STAGES, Operator

NO_RESERVATION = 'ReserveConcurrency = "false"\n'


def created(operator: Operator) -> bool:
    stacks = operator.client("cloudformation").describe_stacks()["Stacks"]
    return bool(stacks or operator.client("s3").list_buckets()["Buckets"])


@pytest.mark.parametrize("arguments", [("--check",), ()])
def test_a_new_account_is_refused_before_anything_is_created(operator: Operator, arguments: tuple[str, ...]) -> None:
    EXECUTIONS[operator.account] = 10

    done = operator.deploy(*arguments)

    assert done.returncode == 1
    assert "Not deployed: the account has no room for the stage, and nothing was created:" in done.stderr
    assert "reserves 67 concurrent executions and must leave 100 unreserved, but the account has 10." in done.stderr
    assert 'Set ReserveConcurrency = "false" in the stage\'s file' in done.stderr
    assert not created(operator)


def test_without_a_reservation_a_new_account_is_enough(operator: Operator) -> None:
    EXECUTIONS[operator.account] = 10
    file = operator.root / STAGES / "dev.toml"
    file.write_text(file.read_text() + NO_RESERVATION)

    done = operator.deploy("--check")

    assert (done.returncode, done.stderr) == (0, "")
    assert "The account allows 10 concurrent executions for all of its functions." in done.stdout


def test_every_full_quota_is_named(operator: Operator) -> None:
    DATABASES[operator.account] = 40
    ec2 = operator.client("ec2")
    while len(ec2.describe_vpcs()["Vpcs"]) < 5:
        ec2.create_vpc(CidrBlock="10.0.0.0/24")

    refusal = operator.deploy("--check").stderr

    assert "networks (VPCs): the account has 5 of at most 5." in refusal
    assert "RDS's DBInstances: the account has 40 of at most 40." in refusal
    assert "API keys" not in refusal
    assert not created(operator)


def test_quotas_of_what_is_not_created_are_not_asked(operator: Operator) -> None:
    DATABASES[operator.account] = 40
    ec2 = operator.client("ec2")
    while len(ec2.describe_vpcs()["Vpcs"]) < 5:
        ec2.create_vpc(CidrBlock="10.0.0.0/24")
    file = operator.root / STAGES / "dev.toml"
    before = file.read_text()

    file.write_text(before + 'DatabaseKind = "existing"\nVpcId = "vpc-1"\n')
    assert operator.deploy("--check").returncode == 0
    file.write_text(before + 'DatabaseKind = "aurora-serverless"\nVpcId = "vpc-1"\n')
    refusal = operator.deploy("--check").stderr
    assert "RDS's DBInstances: the account has 40 of at most 40." in refusal
    assert "networks" not in refusal


def test_api_keys_are_counted(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        operator.client("apigateway").create_api_key()
    monkeypatch.setattr(quotas, "MAX_API_KEYS", 2)
    client = operator.client("apigateway")

    assert list(quotas._full("keys", quotas._count(client, "get_api_keys", "items"), quotas.MAX_API_KEYS)) == [
        "keys: the account has 2 of at most 2. Delete one, or request more if it can be raised"
    ]


def test_an_existing_stage_needs_no_room(operator: Operator) -> None:
    operator.deployed()
    EXECUTIONS[operator.account], DATABASES[operator.account] = 10, 40

    assert operator.deploy("--check").returncode == 0
    assert "The stack is up to date." in operator.deployed()


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_reserved_executions_are_those_of_the_template(name: str) -> None:
    chosen = stage.parameters(name)
    classes = template.parts()["Mappings"]["Capacity"]

    assert quotas.reserved_executions(chosen) == int(classes[chosen["DatabaseClass"]]["ApiConcurrency"]) + 7
    assert quotas.reserved_executions(chosen | {"Incoming": "true"}) == quotas.reserved_executions(chosen)
    assert quotas.reserved_executions(chosen | {"ReserveConcurrency": "false"}) == 0
