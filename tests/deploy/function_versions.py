"""Published versions and aliases of functions in moto's CloudFormation, which replaces no version and has no alias."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any

from moto.awslambda.models import LambdaVersion
from moto.awslambda.utils import get_backend
from moto.core.common_models import CloudFormationModel

ALIAS = "live"
# The number of each function's last version. Lambda uses no number twice; moto counts the present versions.
_LAST: defaultdict[tuple[str, str], int] = defaultdict(int)


def publish(account: str, region: str, function: str, description: str) -> str:
    """Publish a function as it is, as Lambda does; return the version's number."""
    storage: Any = get_backend(account, region)._lambdas
    versions = storage._functions[function]["versions"]
    if versions and versions[-1].description == description:
        raise ValueError(f"A version for this Lambda function exists ( {versions[-1].version} ).")
    _LAST[account, function] += 1
    made = copy.copy(storage._functions[function]["latest"])
    made.set_version(_LAST[account, function])
    made.description = description
    versions.append(made)
    storage._arns[made.function_arn] = made
    return str(made.version)


def add_to_moto() -> None:
    changed: Any = LambdaVersion
    created: Any = _created
    replaced: Any = _replaced
    changed.create_from_cloudformation_json = classmethod(created)
    changed.update_from_cloudformation_json = classmethod(replaced)
    changed.has_cfn_attr = classmethod(lambda _, attribute: attribute == "Version")
    changed.get_cfn_attribute = lambda self, _: self.version


def _created(cls: Any, _: str, described: dict[str, Any], account_id: str, region_name: str, **__: Any) -> Any:
    function, description = (described["Properties"][name] for name in ("FunctionName", "Description"))
    made = cls({"Version": publish(account_id, region_name, function, description)})
    made.physical_resource_id = f"{function}:{made.version}"
    return made


def _replaced(cls: Any, *, new_resource_name: str, cloudformation_json: Any, **of: Any) -> Any:
    """Replace a version and point the alias to it, because moto updates resources in any order."""
    made = _created(cls, new_resource_name, cloudformation_json, of["account_id"], of["region_name"])
    backend: Any = get_backend(of["account_id"], of["region_name"])
    backend.update_alias(ALIAS, cloudformation_json["Properties"]["FunctionName"], made.version, None, None)
    return made


class StackAlias(CloudFormationModel):
    def __init__(self, arn: str) -> None:
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Lambda::Alias"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "AliasArn"

    @classmethod
    def create_from_cloudformation_json(cls, *given: Any, **_: Any) -> StackAlias:
        described, backend = given[1]["Properties"], get_backend(given[2], given[3])
        assert described["Name"] == ALIAS
        return cls(backend.create_alias(ALIAS, described["FunctionName"], described["FunctionVersion"], "", "").arn)

    @classmethod
    def update_from_cloudformation_json(cls, *_: Any, **given: Any) -> Any:
        return given["original_resource"]

    @classmethod
    def delete_from_cloudformation_json(cls, *_: Any, **__: Any) -> None:
        """Lambda deletes an alias with its function."""

    def is_created(self) -> bool:
        return True
