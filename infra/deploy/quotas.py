"""Checks the account's quotas before a stage is created. Without room, its creation would fail after many minutes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.deploy.account import CONFIG, Account
from infra.deploy.errors import DeployError
from infra.deploy.package import template

# Lambda keeps this many executions for functions without a reservation: "Configuring reserved concurrency" in AWS's
# developer guide.
UNRESERVED_EXECUTIONS = 100
# In Service Quotas: VPCs per Region.
VPC_QUOTA = {"ServiceCode": "vpc", "QuotaCode": "L-F678F1CE"}
# The quotas of RDS that a stage needs one more of, by its DatabaseKind.
RDS_QUOTAS = {
    "rds": ("DBInstances", "DBParameterGroups", "DBSubnetGroups"),
    "aurora-serverless": ("DBClusters", "DBInstances", "DBClusterParameterGroups", "DBSubnetGroups"),
    "existing": (),
}
# API Gateway's fixed quotas for each account and region: "Quotas for configuring and running a REST API".
MAX_API_KEYS, MAX_APIS = 10_000, 600


def check(account: Account, chosen: Mapping[str, str]) -> None:
    """Check that the account has room for one more stage.

    Parameters
    ----------
    chosen
        The stage's parameters. The others have their defaults.

    Raises
    ------
    DeployError
        With every quota that has no room, and what to do.
    """
    problems = [*_concurrency(account, chosen), *_counted(account, chosen)]
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise DeployError(f"the account has no room for the stage, and nothing was created:{lines}\nSee Service Quotas")


def reserved_executions(chosen: Mapping[str, str]) -> int:
    """Return how many concurrent executions the functions of a stage reserve."""
    parts = template.parts()
    values = {name: chosen.get(name, described.get("Default")) for name, described in parts["Parameters"].items()}
    if values["ReserveConcurrency"] != "true":
        return 0
    # The function for incoming pictures, the only one with a condition, takes its reservation from the API's.
    reserving = [
        each
        for each in parts["Resources"].values()
        if "ReservedConcurrentExecutions" in each.get("Properties", {}) and "Condition" not in each
    ]
    # Each function but the API's reserves one.
    return int(parts["Mappings"]["Capacity"][values["DatabaseClass"]]["ApiConcurrency"]) + len(reserving) - 1


def _concurrency(account: Account, chosen: Mapping[str, str]) -> Iterator[str]:
    limits = account.session.client("lambda", config=CONFIG).get_account_settings()["AccountLimit"]
    wanted, free = reserved_executions(chosen), limits["UnreservedConcurrentExecutions"]
    if wanted and free - wanted < UNRESERVED_EXECUTIONS:
        yield (
            f"Lambda: the stage reserves {wanted} concurrent executions and must leave {UNRESERVED_EXECUTIONS} "
            f'unreserved, but the account has {free}. Set ReserveConcurrency = "false" in the stage\'s file, choose a '
            "smaller DatabaseClass, or request more"
        )
    elif not wanted:
        print(f"The account allows {limits['ConcurrentExecutions']} concurrent executions for all of its functions.")


def _counted(account: Account, chosen: Mapping[str, str]) -> Iterator[str]:
    session: Any = account.session
    gateway = session.client("apigateway", config=CONFIG)
    if not chosen.get("VpcId"):
        quota = session.client("service-quotas", config=CONFIG).get_service_quota(**VPC_QUOTA)["Quota"]
        networks = _count(session.client("ec2", config=CONFIG), "describe_vpcs", "Vpcs")
        yield from _full("networks (VPCs)", networks, int(quota["Value"]))
    attributes = session.client("rds", config=CONFIG).describe_account_attributes()["AccountQuotas"]
    for each in attributes:
        if each["AccountQuotaName"] in RDS_QUOTAS[chosen.get("DatabaseKind", "rds")]:
            yield from _full(f"RDS's {each['AccountQuotaName']}", each["Used"], each["Max"])
    yield from _full("API Gateway's API keys", _count(gateway, "get_api_keys", "items"), MAX_API_KEYS)
    yield from _full("API Gateway's regional APIs", _count(gateway, "get_rest_apis", "items"), MAX_APIS)


def _count(client: Any, operation: str, items: str) -> int:
    return sum(len(page[items]) for page in client.get_paginator(operation).paginate())


def _full(what: str, used: int, most: int) -> Iterator[str]:
    if used >= most:
        yield f"{what}: the account has {used} of at most {most}. Delete one, or request more if it can be raised"
