"""Libraries that cannot be loaded on Lambda are found before the upload."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.deploy.layers import shared_libraries
from infra.deploy.layers.errors import LayerError
from infra.deploy.layers.target import target
from tests.layers.elf_files import AARCH64, X86_64, shared_library

ARM64 = target("arm64", "python3.13")


def test_libraries_of_the_target_may_be_needed(tmp_path: Path) -> None:
    versions = ["GLIBC_2.17", "GLIBC_2.34", "GLIBC_PRIVATE", "GLIBCXX_3.4.29", "CXXABI_1.3.13", "GCC_3.0"]
    data = shared_library(AARCH64, ["libc.so.6", "libstdc++.so.6", "libz.so.1"], {"libc.so.6": versions})
    (tmp_path / "module.so").write_bytes(data)

    shared_libraries.check(tmp_path, ARM64)


def test_a_library_in_the_layer_may_be_linked(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package.libs").mkdir()
    (tmp_path / "package" / "module.so").write_bytes(shared_library(AARCH64, ["libaom-55.so.3"]))
    (tmp_path / "package.libs" / "libaom-55.so.3").write_bytes(shared_library(AARCH64))

    shared_libraries.check(tmp_path, ARM64)


def test_another_architecture_is_refused_whatever_the_files_name(tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(shared_library(X86_64))

    with pytest.raises(LayerError, match="tool: it has the wrong architecture: ELF machine 62, not 183"):
        shared_libraries.check(tmp_path, ARM64)


@pytest.mark.parametrize(
    ("version", "has"), [("GLIBC_2.35", "2.34"), ("GLIBCXX_3.4.30", "3.4.29"), ("CXXABI_1.3.14", "1.3.13")]
)
def test_a_library_for_a_newer_system_is_refused(tmp_path: Path, version: str, has: str) -> None:
    data = shared_library(AARCH64, ["libc.so.6"], {"libc.so.6": ["GLIBC_2.17", version]})
    (tmp_path / "module.so").write_bytes(data)

    with pytest.raises(LayerError, match=f"module.so: it needs {version}, but the target has {has}"):
        shared_libraries.check(tmp_path, ARM64)


def test_the_older_runtime_has_an_older_glibc(tmp_path: Path) -> None:
    (tmp_path / "module.so").write_bytes(shared_library(AARCH64, ["libm.so.6"], {"libm.so.6": ["GLIBC_2.27"]}))

    shared_libraries.check(tmp_path, ARM64)
    with pytest.raises(LayerError, match=r"GLIBC_2\.27, but the target has 2\.26"):
        shared_libraries.check(tmp_path, target("arm64", "python3.11"))


def test_every_file_that_links_a_missing_library_is_named(tmp_path: Path) -> None:
    for name in ("one.so", "two.so"):
        (tmp_path / name).write_bytes(shared_library(AARCH64, ["libc.so.6", "libX11.so.6"]))

    with pytest.raises(LayerError, match=r"one\.so: it links libX11\.so\.6(.|\n)*two\.so: it links libX11\.so\.6"):
        shared_libraries.check(tmp_path, ARM64)


def test_a_damaged_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "module.so").write_bytes(shared_library(AARCH64, ["libc.so.6"])[:150])

    with pytest.raises(LayerError, match=r"module\.so: its ELF headers are damaged"):
        shared_libraries.check(tmp_path, ARM64)
