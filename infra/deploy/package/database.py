"""Checks the parameters of a stage's network and database, which depend on each other."""

from __future__ import annotations

from collections.abc import Mapping

from infra.deploy.package.errors import PackageError

EXISTING = "existing"
AURORA = "aurora-serverless"
# What `existing` needs, and what only it may have.
_NEEDED = ("VpcId", "DatabaseHost", "DatabaseResourceId", "DatabaseSecretArn")
_ONLY_EXISTING = ("DatabaseHost", "DatabasePort", "DatabaseResourceId", "DatabaseSecretArn", "DatabaseSecurityGroup")
_ONLY_OWN_NETWORK = ("SubnetIds", "FunctionSecurityGroup", "RouteTableIds")
MIN_SUBNETS = 2


def check(chosen: Mapping[str, str]) -> None:
    """Check a stage's parameters for its network and its database.

    Raises
    ------
    PackageError
        When a parameter is missing, or has no effect with the others.
    """
    given = {name for name, value in chosen.items() if value}
    database = chosen.get("DatabaseKind", "rds")
    if database == EXISTING:
        _need(given, _NEEDED, 'DatabaseKind = "existing"')
        if not given & {"DatabaseSecurityGroup", "FunctionSecurityGroup"}:
            raise PackageError(
                'the stage sets DatabaseKind = "existing", which needs DatabaseSecurityGroup, or a '
                "FunctionSecurityGroup that reaches the database"
            )
    else:
        _refuse(given, _ONLY_EXISTING, 'only with DatabaseKind = "existing"')
    if database != "rds" and chosen.get("UseProxy") == "true":
        raise PackageError(
            'the stage sets UseProxy, which is only possible with DatabaseKind = "rds": '
            "a proxy keeps Aurora from pausing"
        )
    if "VpcId" not in given:
        _refuse(given, _ONLY_OWN_NETWORK, "only with VpcId")
        return
    _need(given, ("SubnetIds",), "VpcId")
    if len(set(chosen["SubnetIds"].split(","))) < MIN_SUBNETS:
        raise PackageError(
            f"the stage sets SubnetIds: it must name at least {MIN_SUBNETS} subnets, with commas between"
        )
    if "VpcCidr" in given:
        raise PackageError("the stage sets VpcCidr, which is the range of a network that the stack creates, and VpcId")


def _need(given: set[str], names: tuple[str, ...], what: str) -> None:
    if missing := [name for name in names if name not in given]:
        raise PackageError(f"the stage sets {what}, which needs {', '.join(missing)} too")


def _refuse(given: set[str], names: tuple[str, ...], when: str) -> None:
    if useless := [name for name in names if name in given]:
        raise PackageError(f"the stage sets {', '.join(useless)}, which is possible {when}")
