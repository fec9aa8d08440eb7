"""Adapts the template to a stage's gallery."""

from __future__ import annotations

import re
from typing import Any

from infra.deploy.package.template import Template

# The condition of everything that only a vector index needs.
VECTORS = "VectorsAreIndexed"
NOTHING = {"Ref": "AWS::NoValue"}


def for_gallery(finished: Template, gallery: str) -> Template:
    """Return the template, without the parts for a vector index unless the gallery is s3vectors.

    CloudFormation refuses a template with a type that the region does not have, even if its condition is false.
    """
    if gallery == "s3vectors":
        return finished
    kept: Template = _without_vectors(finished)
    del kept["Conditions"][VECTORS]
    used = references([kept["Resources"], kept["Conditions"], kept["Outputs"]])
    kept["Parameters"] = {name: described for name, described in kept["Parameters"].items() if name in used}
    kept["Parameters"]["Gallery"]["AllowedValues"].remove("s3vectors")
    return kept


def _without_vectors(value: Any) -> Any:
    """Return a part of the template with the condition VECTORS resolved as false."""
    if isinstance(value, list):
        return [_without_vectors(item) for item in value if not _left_out(item)]
    if not isinstance(value, dict):
        return value
    match value:
        case {"Fn::If": [condition, _, otherwise]} if condition == VECTORS:
            return _without_vectors(otherwise)
    return {
        name: _without_vectors(item)
        for name, item in value.items()
        if not _left_out(item) and not (isinstance(item, dict) and item.get("Condition") == VECTORS)
    }


def _left_out(item: Any) -> bool:
    return isinstance(item, dict) and item.get("Fn::If") is not None and item["Fn::If"][::2] == [VECTORS, NOTHING]


def references(value: Any) -> set[str]:
    """Return the names that Ref, Fn::GetAtt, Fn::Sub and DependsOn refer to in a part of a template."""
    found: set[str] = set()
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("Ref", "DependsOn"):
                found |= {item} if isinstance(item, str) else set(item)
            elif key == "Fn::GetAtt":
                found.add(item[0])
            elif key == "Fn::Sub":
                text = item if isinstance(item, str) else item[0]
                found |= {name.split(".")[0] for name in re.findall(r"\$\{([^}]+)\}", text)}
            found |= references(item)
    elif isinstance(value, list):
        for item in value:
            found |= references(item)
    return found
