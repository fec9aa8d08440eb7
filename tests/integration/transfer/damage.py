"""Archives damaged in each layer: the zip, its manifest, the lines of a part, the crops."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import struct
import zipfile
from typing import Any

from hypothesis import strategies as st

Files = dict[str, bytes]
"""An archive's files by name."""

PART = "faces-00001.jsonl.gz"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)

# JSON that json.dumps never writes, by the texts that stand for it.
_RAW = {"<1e400>": "1e400", "<-1e400>": "-1e400", "<digits>": "9" * 5000, "<1.0>": "1.0", "<deep>": "[" * 5000}
ODD = st.one_of(
    st.sampled_from([None, True, False, 0, -1, 1, 2, 1.5, 10**19, 10**400, float("nan"), float("inf"), float("-inf")]),
    st.sampled_from([*_RAW, "", " ", "..", "\0", "\ud800", "x" * 70_000, "é", "0", "1"]),
    st.sampled_from([[], {}, [[]], [None], [{}], {"a": 1}, [1, 2], [[1, 2]] * 5, [["1", "2"]] * 5, [[True, 2]] * 5]),
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=8),
)


def as_json(value: Any) -> bytes:
    text = json.dumps(value)
    for written, raw in _RAW.items():
        text = text.replace(json.dumps(written), raw)
    return text.encode()


@st.composite
def damaged_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Return bytes with some of them changed, missing, doubled or cut off."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(changed) - 1)))
        length = draw(st.sampled_from([1, 2, 4, 16, 200]))
        kind = draw(st.sampled_from(["other", "ones", "missing", "doubled", "cut off"]))
        if kind == "other":
            changed[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "ones":
            changed[at : at + length] = b"\xff" * len(changed[at : at + length])
        elif kind == "missing":
            del changed[at : at + length]
        elif kind == "doubled":
            changed[at:at] = changed[at : at + length]
        else:
            del changed[at:]
    return bytes(changed)


@st.composite
def damaged_value(draw: st.DrawFn, value: Any) -> Any:
    """Return JSON with one value, at any depth, odd, missing or renamed."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(sorted(value)))
        kind = draw(st.sampled_from(["damaged", "damaged", "damaged", "missing", "renamed"]))
        rest = {other: item for other, item in value.items() if other != name}
        if kind == "missing":
            return rest
        return rest | {("other" if kind == "renamed" else name): draw(damaged_value(value[name]))}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(damaged_value(value[at])), *value[at + draw(st.integers(0, 1)) :]]
    return draw(ODD)


@st.composite
def damaged_manifest(draw: st.DrawFn, files: Files) -> Files:
    manifest = files["manifest.json"]
    changed = draw(damaged_bytes(manifest) | damaged_value(json.loads(manifest)).map(as_json))
    return files | {"manifest.json": changed}


@st.composite
def damaged_line(draw: st.DrawFn, files: Files) -> Files:
    lines = gzip.decompress(files[PART]).splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    lines[at] = draw(damaged_value(json.loads(lines[at])).map(as_json) | damaged_bytes(lines[at]))
    return with_part(files, gzip.compress(b"\n".join(lines) + b"\n", 1))


@st.composite
def damaged_crop(draw: st.DrawFn, files: Files) -> Files:
    records = [json.loads(line) for line in gzip.decompress(files[PART]).splitlines()]
    record = draw(st.sampled_from(records))
    record["crop"] = base64.b64encode(draw(damaged_bytes(base64.b64decode(record["crop"])))).decode()
    return with_part(files, gzip.compress(b"".join(as_json(one) + b"\n" for one in records), 1))


@st.composite
def damaged_compression(draw: st.DrawFn, files: Files) -> Files:
    return with_part(files, draw(damaged_bytes(files[PART])))


def with_part(files: Files, data: bytes) -> Files:
    """Return an archive with another first part that the manifest describes correctly."""
    manifest = json.loads(files["manifest.json"])
    manifest["parts"][0] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return files | {PART: data, "manifest.json": json.dumps(manifest).encode()}


def with_record(files: Files, **changes: Any) -> Files:
    """Return an archive with changes to the first face."""
    first, *others = gzip.decompress(files[PART]).splitlines()
    lines = [as_json({**json.loads(first), **changes}), *others]
    return with_part(files, gzip.compress(b"\n".join(lines) + b"\n", 1))


def zipped(files: Files, method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return buffer.getvalue()


@st.composite
def damaged_zip(draw: st.DrawFn, files: Files) -> bytes:
    """Return a zip with changed bytes or changed header fields."""
    data = bytearray(zipped(files, draw(st.sampled_from(METHODS))))
    if draw(st.booleans()):
        return draw(damaged_bytes(bytes(data)))
    for _ in range(draw(st.integers(1, 3))):
        signature = draw(st.sampled_from([b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"]))
        start = _one_of(draw, data, signature)
        # A header consists of fields of two and four bytes, followed by the name.
        at = start + 4 + 2 * draw(st.integers(0, 24))
        value = draw(st.sampled_from([0, 1, 8, 12, 14, 99, 0x0800, 0x7FFF, 0xFFFF]) | st.integers(0, 0xFFFF))
        data[at : at + 2] = struct.pack("<H", value)
    return bytes(data)


def _one_of(draw: st.DrawFn, data: bytearray, signature: bytes) -> int:
    places = [at for at in range(len(data)) if data.startswith(signature, at)] if len(data) < 100_000 else []
    first = data.find(signature) if draw(st.booleans()) else data.rfind(signature)
    return draw(st.sampled_from(places)) if places else max(first, 0)
