"""Checks the vectors and metadata of requests against rules that the service's model does not contain."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.s3_vectors.refusals import ValidationRefusal
from infra.s3_vectors.stored_vectors import Metadata

MAX_FILTERABLE_BYTES = 2 * 1_024
MAX_METADATA_BYTES = 40 * 1_024
MAX_METADATA_KEYS = 50


def vectors(given: Sequence[tuple[str, Sequence[float]]], dimension: int, metric: str) -> NDArray[np.float32]:
    """Return the vectors as n x d float32. Each is given with its key or another name for error messages.

    Raises
    ------
    ValidationRefusal
        When a vector has the wrong dimension, a number outside float32's range, or, for cosine, only zeros.
    """
    for key, values in given:
        if len(values) != dimension:
            raise ValidationRefusal(
                f"Invalid record for key '{key}': vector must have length {dimension}, but has length {len(values)}"
            )
    with np.errstate(over="ignore"):
        stacked = np.array([values for _, values in given], np.float64).astype(np.float32)
    finite, zero = np.all(np.isfinite(stacked), axis=1), np.all(stacked == 0, axis=1)
    for i, (key, _) in enumerate(given):
        if not finite[i]:
            raise ValidationRefusal(f"Invalid record for key '{key}': vector values must be finite float32 numbers")
        if zero[i] and metric == "cosine":
            raise ValidationRefusal(f"Invalid record for key '{key}': a vector of zeros has no cosine distance")
    return stacked


def metadata(key: str, given: Any, non_filterable: Collection[str]) -> Metadata:
    """Return a vector's metadata, or {} if it has none.

    Raises
    ------
    ValidationRefusal
        When it is not an object of strings, numbers, booleans and lists of these, or is too large.
    """
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(map(_is_allowed, given.values())):
        raise ValidationRefusal(f"Invalid record for key '{key}': metadata must be strings, numbers, booleans or lists")
    if len(given) > MAX_METADATA_KEYS:
        raise ValidationRefusal(f"Invalid record for key '{key}': more than {MAX_METADATA_KEYS} metadata keys")
    filterable = {name: value for name, value in given.items() if name not in non_filterable}
    for what, part, most in (("Filterable", filterable, MAX_FILTERABLE_BYTES), ("Total", given, MAX_METADATA_BYTES)):
        if _size(part) > most:
            raise ValidationRefusal(f"Invalid record for key '{key}': {what} metadata must have at most {most} bytes")
    return given


def _is_allowed(value: Any) -> bool:
    return all(isinstance(each, str | int | float) for each in (value if isinstance(value, list) else [value]))


def _size(part: Mapping[str, Any]) -> int:
    return len(json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode())
