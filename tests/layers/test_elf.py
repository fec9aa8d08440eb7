"""Reading ELF headers of generated files, of the tests' real libraries, and of broken files."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path

import pytest

from infra.deploy.layers.elf import read_needs
from infra.deploy.layers.target import ARCHITECTURES
from tests.layers.elf_files import AARCH64, shared_library


def test_machine_libraries_and_versions_are_read() -> None:
    data = shared_library(
        AARCH64,
        ["libm.so.6", "libother-1a2b.so.3"],
        {"libm.so.6": ["GLIBC_2.17", "GLIBC_2.29"], "libstdc++.so.6": ["GLIBCXX_3.4.21"]},
    )

    needs = read_needs(data)

    assert needs.machine == 183
    assert needs.libraries == ("libm.so.6", "libother-1a2b.so.3")
    assert needs.versions == ("GLIBC_2.17", "GLIBC_2.29", "GLIBCXX_3.4.21")


def test_a_library_may_need_nothing() -> None:
    needs = read_needs(shared_library(AARCH64))

    assert needs.libraries == needs.versions == ()


@pytest.mark.skipif(platform.system() != "Linux", reason="the libraries of this machine are not ELF files")
@pytest.mark.parametrize(
    "module", ["numpy._core._multiarray_umath", "onnxruntime.capi.onnxruntime_pybind11_state", "simplejpeg._jpeg"]
)
def test_real_libraries_are_read(module: str) -> None:
    found = importlib.util.find_spec(module)
    assert found
    assert found.origin

    needs = read_needs(Path(found.origin).read_bytes())

    assert needs.machine in {machine for wheel, machine in ARCHITECTURES.values() if wheel == platform.machine()}
    assert "libc.so.6" in needs.libraries
    assert any(version.startswith("GLIBC_2.") for version in needs.versions)


@pytest.mark.parametrize("length", [4, 16, 63, 100, 180, 230])
def test_a_truncated_file_is_refused(length: int) -> None:
    data = shared_library(AARCH64, ["libm.so.6"], {"libm.so.6": ["GLIBC_2.17"]})

    with pytest.raises(ValueError, match="ELF"):
        read_needs(data[:length])


def test_a_32_bit_library_is_refused() -> None:
    with pytest.raises(ValueError, match="64-bit"):
        read_needs(b"\x7fELF\x01\x01" + bytes(100))
