"""Write tensors in both of torch.save's formats, without torch.

Where torch is installed, tests/models/facenet_reference.py proves that torch reads these bytes.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[Any]]

_STORAGES = {np.dtype(np.float32): b"FloatStorage", np.dtype(np.int64): b"LongStorage"}
_ORDERED_DICT = b"ccollections\nOrderedDict\n"


def zip_form(tensors: Tensors) -> bytes:
    """Return the format of torch 1.6 and later."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", state_pickle(tensors, older=False))
        archive.writestr("archive/byteorder", "little")
        for i, values in enumerate(tensors.values()):
            archive.writestr(f"archive/data/{i}", values.tobytes())
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def older_form(tensors: Tensors) -> bytes:
    """Return the format of torch before 1.6."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    keys = [str(i) for i in range(len(tensors))]
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, system)]
    storages = [struct.pack("<q", values.size) + values.tobytes() for values in tensors.values()]
    return b"".join([*head, state_pickle(tensors, older=True), pickle.dumps(keys, 2), *storages])


def state_pickle(tensors: Tensors, *, older: bool) -> bytes:
    """Return the pickle of an OrderedDict of tensors, as opcodes. Storage i has the key str(i)."""
    items = b"".join(
        _text(name) + tensor(str(i), values.dtype, values.shape, older=older)
        for i, (name, values) in enumerate(tensors.items())
    )
    # The dictionary's attribute _metadata, which modules set.
    metadata = b"}" + _text("_metadata") + _ORDERED_DICT + b")Rsb"
    return b"\x80\x02" + _ORDERED_DICT + b")R(" + items + b"u" + metadata + b"."


def tensor(key: str, dtype: np.dtype[Any], shape: tuple[int, ...], *, older: bool, offset: int = 0) -> bytes:
    """Return the opcodes of one tensor: a call of torch._utils._rebuild_tensor_v2 with a storage's persistent id."""
    count = int(np.prod(shape))
    kind = b"ctorch\n" + _STORAGES[dtype] + b"\n"
    storage = b"(" + _text("storage") + kind + _text(key) + _text("cpu") + _number(count) + (b"N" if older else b"")
    strides = [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]
    view = storage + b"tQ" + _number(offset) + _tuple(shape) + _tuple(strides) + b"\x89" + _ORDERED_DICT + b")R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + view + b"tR"


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _number(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def _tuple(numbers: tuple[int, ...] | list[int]) -> bytes:
    return b"(" + b"".join(map(_number, numbers)) + b"t"
