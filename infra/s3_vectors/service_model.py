"""Validates requests against botocore's model of the service.

botocore's own client-side check covers required and unknown members, types and minimum sizes. This module also checks
maximum sizes, enumerations and patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator


@cache
def service_model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("s3vectors")


def problems(operation: str, parameters: dict[str, Any]) -> list[str]:
    """Return a message for each fault in a request's parameters."""
    model: OperationModel = service_model().operation_model(operation)
    if model.input_shape is None:
        return []
    lighter = _without_numbers(parameters, model.input_shape)
    report = ParamValidator().validate(lighter, model.input_shape)
    if report.has_errors():
        return [str(report.generate_report())]
    return list(_beyond(lighter, model.input_shape, "input"))


def _without_numbers(value: Any, shape: Shape) -> Any:
    """Return the parameters with valid lists of numbers emptied, because botocore spends most of its time on them."""
    if isinstance(shape, ListShape) and isinstance(value, list):
        if shape.member.type_name == "float":
            return [] if set(map(type, value)) <= {int, float} else value
        return [_without_numbers(each, shape.member) for each in value]
    if isinstance(shape, StructureShape) and isinstance(value, dict) and not shape.metadata.get("document"):
        members = shape.members
        return {
            name: _without_numbers(member, members[name]) if name in members else member
            for name, member in value.items()
        }
    return value


def _beyond(value: Any, shape: Shape, where: str) -> Iterator[str]:
    """Yield the values that are too large, outside an enumeration or unlike a pattern; the types must be right."""
    if isinstance(value, bool) != (shape.type_name == "boolean"):  # in Python a boolean is a number
        yield f"{where}: {value} is not a {shape.type_name}"
        return
    size = len(value) if isinstance(value, str | list | dict) else value
    largest = shape.metadata.get("max")
    if largest is not None and size > largest:
        yield f"{where}: {size} is more than {largest}"
    if isinstance(shape, StructureShape):
        if not shape.metadata.get("document"):
            for name, member in value.items():
                yield from _beyond(member, shape.members[name], f"{where}.{name}")
    elif isinstance(shape, ListShape):
        for i, member in enumerate(value):
            yield from _beyond(member, shape.member, f"{where}[{i}]")
    elif isinstance(shape, MapShape):
        for name, member in value.items():
            yield from _beyond(name, shape.key, f"{where} (key {name})")
            yield from _beyond(member, shape.value, f"{where}.{name}")
    elif isinstance(shape, StringShape):
        if shape.enum and value not in shape.enum:
            yield f"{where}: {value} is not one of {', '.join(shape.enum)}"
        pattern = shape.metadata.get("pattern", "")
        # Python's `re` does not support Unicode classes; only the patterns of tags use them.
        if pattern and "\\p{" not in pattern and not re.fullmatch(pattern, value):
            yield f"{where}: {value} does not match {pattern}"
