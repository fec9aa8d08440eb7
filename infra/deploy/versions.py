"""The published versions of a stage's API function: which one clients reach, and what publishes the next one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError

from chalicelib.release import health
from infra.deploy.account import CONFIG, Account, error_code
from infra.deploy.package.gallery import references

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import AliasConfigurationResponseTypeDef, FunctionConfigurationTypeDef

ALIAS = "live"
# The function in the template, and what only the deployment adds to it.
FUNCTION, RELEASE = "APIHandler", "Release"
DIGITS = 12
# A function with its first container starting answers within its time limit of 29 s and its start.
CHECK_CONFIG = Config(read_timeout=60, retries={"mode": "standard", "total_max_attempts": 3})


class Versions:
    """The versions of one function, and its alias ALIAS."""

    def __init__(self, account: Account, function: str) -> None:
        self.function = function
        self._account = account
        self._client = account.session.client("lambda", config=CONFIG)

    def alias(self) -> AliasConfigurationResponseTypeDef:
        return self._client.get_alias(FunctionName=self.function, Name=ALIAS)

    def live(self) -> str:
        """Return the number of the version that clients reach; during a shift, the old one."""
        return self.alias()["FunctionVersion"]

    def published(self) -> list[FunctionConfigurationTypeDef]:
        """Return all versions, newest first."""
        pages = self._client.get_paginator("list_versions_by_function").paginate(FunctionName=self.function)
        found = [version for page in pages for version in page["Versions"] if version["Version"].isdecimal()]
        return sorted(found, key=number, reverse=True)

    def one(self, version: str) -> FunctionConfigurationTypeDef | None:
        return next((each for each in self.published() if each["Version"] == version), None)

    def failure(self, qualifier: str = ALIAS) -> str | None:
        """Return why a version does not answer GET /health, or None when it does.

        Lambda lets a version without calls for weeks become inactive; the version is awaited then.
        """
        client = self._account.session.client("lambda", config=CHECK_CONFIG)
        try:
            return health.failure(client, f"{self.function}:{qualifier}")
        except (client.exceptions.ResourceConflictException, client.exceptions.ResourceNotReadyException):
            client.get_waiter("function_active_v2").wait(FunctionName=self.function, Qualifier=qualifier)
            return health.failure(client, f"{self.function}:{qualifier}")

    def point(self, version: str, revision: str) -> None:
        """Let clients reach a version, unless the alias has changed since it had the revision."""
        self._client.update_alias(
            FunctionName=self.function, Name=ALIAS, FunctionVersion=version, RoutingConfig={}, RevisionId=revision
        )

    def prune(self, keep: set[str]) -> None:
        """Delete all other versions: each one costs storage, and money with a snapshot.

        A version that cannot be deleted, such as one with an alias made by hand, is printed and stays.
        """
        for version in [each["Version"] for each in self.published() if each["Version"] not in keep]:
            try:
                self._client.delete_function(FunctionName=self.function, Qualifier=version)
            except ClientError as error:
                print(f"Version {version} of the API's function was not deleted: {error_code(error)}.")


def number(version: FunctionConfigurationTypeDef) -> int:
    return int(version["Version"])


def schema(description: str) -> int | None:
    """Return the database schema that a version's description names."""
    found = re.search(r"\bschema (\d+)$", description)
    return int(found[1]) if found else None


def new_schema(template: Mapping[str, Any]) -> int | None:
    """Return the database schema of the version that a template publishes."""
    described = template["Resources"].get(FUNCTION, {}).get("Properties", {}).get("Description", {})
    return schema(described.get("Fn::Sub", ""))


def release(template: Mapping[str, Any], parameters: Mapping[str, str], present: str | None) -> str:
    """Return the parameter RELEASE: the present one, unless the function has changed.

    The time makes the text new even if an earlier deployment of the same function failed after it had published a
    version: Lambda publishes no version twice.

    Parameters
    ----------
    parameters
        The stage's parameters, and the keys of the artifacts.
    present
        RELEASE of the deployed stack; None to publish in any case.
    """
    digest = _digest(template, parameters)
    if present is not None and present.startswith(f"{digest}-"):
        return present
    return f"{digest}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def _digest(template: Mapping[str, Any], parameters: Mapping[str, str]) -> str:
    """Return a digest of everything that the function refers to, and of the values of the parameters in it.

    A reference includes what that resource refers to: the database's endpoint depends on its class.
    """
    defaults = template["Parameters"]
    seen: dict[str, Any] = {}
    waiting = {FUNCTION}
    while waiting:
        name = waiting.pop()
        if name in seen or name == RELEASE:
            continue
        if name in defaults:
            seen[name] = parameters.get(name, str(defaults[name].get("Default")))
            continue
        for section in ("Resources", "Conditions", "Mappings"):
            if name in template.get(section, {}):
                seen[name] = template[section][name]
                waiting |= references(seen[name]) | set(_conditions(seen[name]))
    content = json.dumps(seen, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:DIGITS]


def _conditions(value: Any) -> Iterator[str]:
    """Yield the names of the conditions and mappings in a part of a template."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("Fn::If", "Fn::FindInMap"):
                yield item[0]
            elif key == "Condition" and isinstance(item, str):
                yield item
            yield from _conditions(item)
    elif isinstance(value, list):
        for item in value:
            yield from _conditions(item)
