"""Metadata filters: https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-vectors-metadata-filtering.html.

Behaviour that the manual does not describe follows MongoDB: `$ne` and `$nin` match when the key is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from infra.s3_vectors.refusals import ValidationRefusal

Filter = Callable[[Mapping[str, Any]], bool]

_ABSENT = object()


def parse(document: Any, non_filterable: Collection[str] = ()) -> Filter:
    """Return a filter as a function of a vector's metadata.

    Raises
    ------
    ValidationRefusal
        When the document is not a valid filter, or uses a non-filterable key of the index.
    """
    if not isinstance(document, dict) or not document:
        raise ValidationRefusal("Invalid filter: it must be an object with at least one key")
    parts = [_part(key, value, non_filterable) for key, value in document.items()]
    return lambda metadata: all(part(metadata) for part in parts)


def _part(key: str, value: Any, non_filterable: Collection[str]) -> Filter:
    if key in {"$and", "$or"}:
        if not isinstance(value, list) or not value:
            raise ValidationRefusal(f"Invalid filter: {key} needs a non-empty array of filters")
        filters = [parse(each, non_filterable) for each in value]
        every = all if key == "$and" else any
        return lambda metadata: every(each(metadata) for each in filters)
    if key.startswith("$"):
        raise ValidationRefusal(f"Invalid filter: there is no operator {key}")
    if key in non_filterable:
        raise ValidationRefusal(f"Invalid filter: {key} is a non-filterable metadata key")
    conditions = value if isinstance(value, dict) else {"$eq": value}
    if not conditions:
        raise ValidationRefusal(f"Invalid filter: {key} has no condition")
    tests = [_test(operator, operand) for operator, operand in conditions.items()]
    return lambda metadata: all(test(metadata.get(key, _ABSENT)) for test in tests)


def _test(operator: str, operand: Any) -> Callable[[Any], bool]:
    takes = _OPERANDS.get(operator)
    if takes is None:
        raise ValidationRefusal(f"Invalid filter: there is no operator {operator}")
    if not takes(operand):
        raise ValidationRefusal(f"Invalid filter: {operator} does not take {operand!r}")
    return lambda value: _TESTS[operator](value, operand)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_primitive(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_primitive, value))


def _same(value: Any, operand: Any) -> bool:
    """Compare two values without equating booleans and numbers, as Python does with True and 1."""
    return isinstance(value, bool) == isinstance(operand, bool) and bool(value == operand)


def _equals(value: Any, operand: Any) -> bool:
    """Compare a value with the operand; an array matches if any of its elements does."""
    return any(_same(each, operand) for each in (value if isinstance(value, list) else [value]))


_OPERANDS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("$eq", "$ne"), _is_primitive),
    **dict.fromkeys(("$gt", "$gte", "$lt", "$lte"), _is_number),
    **dict.fromkeys(("$in", "$nin"), _is_list),
    "$exists": lambda operand: isinstance(operand, bool),
}
_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equals,
    "$ne": lambda value, operand: not _equals(value, operand),
    "$gt": lambda value, operand: _is_number(value) and value > operand,
    "$gte": lambda value, operand: _is_number(value) and value >= operand,
    "$lt": lambda value, operand: _is_number(value) and value < operand,
    "$lte": lambda value, operand: _is_number(value) and value <= operand,
    "$in": lambda value, operand: any(_equals(value, each) for each in operand),
    "$nin": lambda value, operand: not any(_equals(value, each) for each in operand),
    "$exists": lambda value, operand: (value is not _ABSENT) is operand,
}
