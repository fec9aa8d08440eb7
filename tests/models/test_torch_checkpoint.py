"""Files of torch.save are read without torch, and other bytes are refused.

tests/models/facenet_reference.py proves that these bytes are torch's own, where torch is installed.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.torch_checkpoint import CheckpointError, Tensors, read
from tests.models import torch_files

Write = Callable[[torch_files.Tensors], bytes]

both_forms = pytest.mark.parametrize("write", [torch_files.older_form, torch_files.zip_form])


def _tensors() -> Tensors:
    random = np.random.default_rng(0)
    return {
        "layer.weight": random.standard_normal((4, 3, 2, 2)).astype(np.float32),
        "layer.bias": random.standard_normal(4).astype(np.float32),
        "steps": np.array(7, np.int64),
    }


@both_forms
def test_tensors_are_read_unchanged(write: Write) -> None:
    tensors = _tensors()

    found = read(write(tensors))

    assert list(found) == list(tensors)
    for name, values in tensors.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


@both_forms
@pytest.mark.parametrize("cut", [1, 50, 150, 400])
def test_a_truncated_file_is_refused(write: Write, cut: int) -> None:
    with pytest.raises(CheckpointError):
        read(write(_tensors())[:-cut])


@pytest.mark.parametrize("data", [b"", b"weights", b"PK\x03\x04", pickle.dumps({"a": 1}), b"\x80\x02]q\x00."])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"not a file from torch\.save"):
        read(data)


def test_a_file_with_extra_bytes_is_refused() -> None:
    with pytest.raises(CheckpointError, match="left over"):
        read(torch_files.older_form(_tensors()) + b"\0")


class TestAHostileFile:
    """The pickle in the file asks for something other than a tensor."""

    @staticmethod
    def _zip(index: bytes, **files: bytes) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a/data.pkl", index)
            for name, data in files.items():
                archive.writestr(f"a/data/{name}", data)
        return file.getvalue()

    @pytest.mark.parametrize(
        "name", [b"os\nsystem", b"builtins\neval", b"torch\nload", b"torch._utils\n_rebuild_parameter"]
    )
    def test_a_name_that_does_not_belong_to_a_tensor_is_refused(self, name: bytes, tmp_path: Path) -> None:
        target = tmp_path / "touched"
        call = b"\x80\x02c" + name + b"\nX" + len(f"touch {target}").to_bytes(4, "little") + f"touch {target}".encode()

        with pytest.raises(CheckpointError, match="only float32 and int64 tensors are accepted"):
            read(self._zip(call + b"\x85R."))

        assert not target.exists()

    def test_a_tensor_that_exceeds_its_storage_is_refused(self) -> None:
        index = torch_files.tensor("0", np.dtype(np.float32), (4,), older=False, offset=1)
        state = b"\x80\x02ccollections\nOrderedDict\n)RX\x01\x00\x00\x00a" + index + b"s."

        with pytest.raises(CheckpointError, match="not inside its storage"):
            read(self._zip(state, **{"0": bytes(16)}))

    def test_a_tensor_cannot_need_more_memory_than_its_storage(self) -> None:
        """A stride of 0 repeats one element any number of times."""
        honest = torch_files.tensor("0", np.dtype(np.float32), (1,), older=False)
        sizes, strides = b"(J\x01\x00\x00\x00t", b"(J\x01\x00\x00\x00t"
        assert sizes + strides in honest
        hostile = honest.replace(sizes + strides, b"(J\xff\xff\xff\x7ft(J\x00\x00\x00\x00t")
        state = b"\x80\x02ccollections\nOrderedDict\n)RX\x01\x00\x00\x00a" + hostile + b"s."

        with pytest.raises(CheckpointError, match="not inside its storage"):
            read(self._zip(state, **{"0": bytes(4)}))

    def test_a_file_without_a_dictionary_of_tensors_is_refused(self) -> None:
        with pytest.raises(CheckpointError, match="not a dictionary of tensors"):
            read(self._zip(pickle.dumps({"epoch": 3}, 2)))
