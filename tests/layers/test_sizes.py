"""Layers beyond Lambda's size limit are refused with a list of their largest parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.deploy.layers import sizes
from infra.deploy.layers.errors import LayerError

MEGABYTE = 1_000_000


def test_exactly_the_limit_is_allowed() -> None:
    sizes.check({"cv2": 262_143_999, "function": 1})


def test_one_byte_more_is_refused_with_a_table_of_the_largest_parts() -> None:
    parts = {"function": 1, "numpy": 62_144_000, "cv2": 200_000_000}

    with pytest.raises(LayerError) as refused:
        sizes.check(parts)

    message = str(refused.value)
    assert "262,144,001 bytes unzipped, 1 more than Lambda's 262,144,000" in message
    assert message.index("200,000,000  cv2") < message.index("62,144,000  numpy") < message.index("1  function")
    assert "262,144,001  total" in message


def test_small_parts_share_one_line() -> None:
    parts = {f"part {size}": size * MEGABYTE for size in range(1, 14)}

    lines = sizes.table(parts).splitlines()

    assert len(lines) == 12
    assert lines[0].split() == ["13,000,000", "part", "13"]
    assert lines[-2].split() == ["6,000,000", "3", "others"]
    assert lines[-1].split() == ["91,000,000", "total"]


def test_a_part_is_everything_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "package" / "deep").mkdir(parents=True)
    (tmp_path / "package" / "deep" / "a").write_bytes(bytes(5))
    (tmp_path / "package" / "b").write_bytes(bytes(7))
    (tmp_path / "module.py").write_bytes(bytes(3))

    assert sizes.parts_of(tmp_path) == {"package": 12, "module.py": 3}
