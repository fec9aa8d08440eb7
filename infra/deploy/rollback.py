"""Runs `make rollback`: lets clients of a stage reach the previous version of the API's function again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from infra.deploy.account import CONFIG, Account, explained, sign_in
from infra.deploy.errors import DeployError
from infra.deploy.stack import REACHED, Stack, stack_name
from infra.deploy.versions import Versions, number, schema

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import FunctionConfigurationTypeDef

# The settings that name a version's stores.
STORES = ("DATABASE_URL", "TOKENS_TABLE", "CROPS_BUCKET", "VECTOR_BUCKET", "GALLERY")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy.rollback", description=__doc__)
    parser.add_argument("stage")
    options = parser.parse_args(arguments)
    try:
        account = sign_in()
        with explained():
            roll_back(options.stage, account)
    except DeployError as error:
        sys.exit(f"Not rolled back: {error}.")


def roll_back(stage: str, account: Account) -> None:
    """Point the alias to the previous version, if that works with the present database.

    Raises
    ------
    DeployError
        When the stage is being changed, there is no previous version, or it does not fit or answer.
    """
    stack = Stack(account.session.client("cloudformation", config=CONFIG), stack_name(stage))
    status = stack.status()
    if status.endswith("_IN_PROGRESS") and status != REACHED:
        raise DeployError(
            f"the stack is {status}: wait until it finishes, or run `aws cloudformation cancel-update-stack "
            f"--stack-name {stack.name} --region {account.region}`, which returns to the version before"
        )
    function = stack.outputs().get("ApiFunction")
    if function is None:
        raise DeployError(f"there is no stack {stack.name} of this project in region {account.region}")
    versions = Versions(account, function)
    alias = versions.alias()
    if alias.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
        raise DeployError("CodeDeploy is shifting requests between two versions: stop that deployment in CodeDeploy")
    present, previous = _last_two(versions, alias["FunctionVersion"])
    if reason := _misfit(present, previous):
        raise DeployError(f"version {previous['Version']} {reason}, and nothing was changed")
    if reason := versions.failure(previous["Version"]):
        raise DeployError(f"version {previous['Version']} does not work either, and nothing was changed: {reason}")
    versions.point(previous["Version"], alias["RevisionId"])
    print(
        f"Clients reach version {previous['Version']} again ({previous.get('Description')}), not version "
        f"{present['Version']} ({present.get('Description')}).\n"
        "The other functions, the database and the API's description are unchanged.\n"
        f"The next `make deploy STAGE={stage}` publishes what is then checked out, at once and for all requests, even "
        "if it is the same code."
    )


def _last_two(versions: Versions, live: str) -> tuple[FunctionConfigurationTypeDef, FunctionConfigurationTypeDef]:
    published = versions.published()
    present = next(each for each in published if each["Version"] == live)
    previous = next((each for each in published if number(each) < number(present)), None)
    if previous is None:
        raise DeployError(
            f"there is no version before version {live}. To go back further, check out the earlier code and run "
            "`make deploy`"
        )
    return present, previous


def _misfit(present: FunctionConfigurationTypeDef, previous: FunctionConfigurationTypeDef) -> str | None:
    """Return why the previous version cannot work with the stores of the present one, or None."""
    now, before = schema(present.get("Description", "")), schema(previous.get("Description", ""))
    if now is None or before != now:
        return f"needs the database schema {before}, and the database has {now}"
    one, other = (each.get("Environment", {}).get("Variables", {}) for each in (present, previous))
    if different := [name for name in STORES if one.get(name) != other.get(name)]:
        return f"has other stores ({', '.join(different)})"
    return None


if __name__ == "__main__":
    main()
