"""Reads the tensors in a file from torch.save, without torch and without trusting its pickles.

Both formats follow torch/serialization.py. The zip format (since torch 1.6) holds a pickle, data.pkl, and one file of
raw bytes for every storage. The older format is a sequence of pickles: a magic number, a protocol version, the writer's
C types, the object, and the keys of its storages. Then follow, for each key in turn, a count of elements (int64) and
their raw bytes. In both formats the object refers to a storage by a persistent id. A tensor is a view of a storage:
offset, sizes and strides, in elements.
"""

from __future__ import annotations

import collections
import io
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = dict[str, NDArray[Any]]

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class CheckpointError(ValueError):
    """The file is not a torch checkpoint of plain tensors."""


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _View:
    storage: _Storage
    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]


def _view(storage: Any, offset: Any, sizes: Any, strides: Any, *_: Any) -> _View:
    """Replace torch._utils._rebuild_tensor_v2; gradients and hooks are ignored."""
    return _View(storage, offset, sizes, strides)


class _TensorsOnly(pickle.Unpickler):
    """An unpickler that can create only ordered dictionaries and views of storages."""

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case "collections", "OrderedDict":
                return collections.OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _view
            case "torch", _ if name in _DTYPES:
                return _DTYPES[name]
        raise CheckpointError(f"the checkpoint contains {module}.{name}; only float32 and int64 tensors are accepted")

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            # The older format has a sixth part, the storage's place in another storage. Torch no longer uses it.
            case ("storage", np.dtype() as dtype, str(key), str(), int(count), *view) if view in ([], [None]):
                return _Storage(key, dtype, count)
        raise CheckpointError("the checkpoint has a storage of an unknown kind")


def read(data: bytes) -> Tensors:
    """Return the tensors of a state dictionary by name, float32 or int64.

    Raises
    ------
    CheckpointError
        If the file is cut short, has another format or other objects, or if a view is not inside its storage.
    """
    try:
        state, storages = _read_zip(data) if zipfile.is_zipfile(io.BytesIO(data)) else _read_older(io.BytesIO(data))
    except CheckpointError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise CheckpointError(f"it is not a file from torch.save: {error}") from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, _View) for name, value in state.items()
    ):
        raise CheckpointError("the checkpoint is not a dictionary of tensors")
    return {name: _tensor(view, storages) for name, view in state.items()}


def _read_zip(data: bytes) -> tuple[Any, dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        [index] = [name for name in names if name.endswith("/data.pkl")]
        folder = index.removesuffix("data.pkl")
        if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") != b"little":
            raise CheckpointError("the checkpoint was written on a big-endian machine")
        state = _TensorsOnly(io.BytesIO(archive.read(index))).load()
        prefix = f"{folder}data/"
        return state, {name.removeprefix(prefix): archive.read(name) for name in names if name.startswith(prefix)}


def _read_older(file: io.BytesIO) -> tuple[Any, dict[str, bytes]]:
    magic, protocol, system, state, keys = (_TensorsOnly(file).load() for _ in range(5))
    if magic != _MAGIC or protocol != _PROTOCOL:
        raise CheckpointError("it is not a file from torch.save")
    if not system["little_endian"]:
        raise CheckpointError("the checkpoint was written on a big-endian machine")
    widths = {view.storage.key: view.storage.dtype.itemsize for view in state.values()}
    storages = {}
    for key in keys:
        count = int.from_bytes(file.read(8), "little")
        storages[key] = file.read(count * widths[key])
    if file.read(1):
        raise CheckpointError("bytes are left over after the checkpoint")
    return state, storages


def _tensor(view: _View, storages: Mapping[str, bytes]) -> NDArray[Any]:
    storage, sizes, strides = view.storage, view.sizes, view.strides
    numbers = (view.offset, storage.count, *sizes, *strides)
    if len(sizes) != len(strides) or not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise CheckpointError("a tensor's offset, sizes and strides must be whole numbers of at least 0")
    data = storages.get(storage.key, b"")
    last = view.offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    # Limit the elements to those in the storage: with a stride of 0, a tensor could need any amount of memory.
    is_whole = len(data) == storage.count * storage.dtype.itemsize
    if not is_whole or last >= storage.count or np.prod(sizes, dtype=object) > storage.count:
        raise CheckpointError("a tensor is not inside its storage: the file is cut short or damaged")
    values = np.frombuffer(data, storage.dtype)
    steps = [stride * storage.dtype.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(values[view.offset :], sizes, steps).copy()
