"""Choosing wheels for a Lambda runtime and architecture."""

from __future__ import annotations

import pytest

from infra.deploy.layers.errors import LayerError
from infra.deploy.layers.target import target


def test_every_glibc_up_to_the_targets_is_listed_oldest_first() -> None:
    platforms = target("arm64", "python3.13").platforms

    assert platforms[0] == "manylinux_2_17_aarch64"
    assert platforms.index("manylinux_2_28_aarch64") < platforms.index("manylinux_2_34_aarch64")
    assert "manylinux2014_aarch64" in platforms
    assert "manylinux_2_35_aarch64" not in platforms


def test_amazon_linux_2_stops_at_its_own_glibc() -> None:
    platforms = target("x86_64", "python3.11").platforms

    assert "manylinux_2_26_x86_64" in platforms
    assert "manylinux_2_27_x86_64" not in platforms


@pytest.mark.parametrize(
    ("architecture", "runtime", "reason"),
    [
        ("aarch64", "python3.13", "unknown ARCH=aarch64: ARCH must be one of arm64, x86_64"),
        ("arm64", "3.13", r"unknown RUNTIME=3\.13: RUNTIME must be one of python3\.11"),
    ],
)
def test_unknown_runtimes_and_architectures_are_refused(architecture: str, runtime: str, reason: str) -> None:
    with pytest.raises(LayerError, match=reason):
        target(architecture, runtime)
