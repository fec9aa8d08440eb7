"""Checks the unzipped size of the function and layers against Lambda's limit."""

from __future__ import annotations

from pathlib import Path

from infra.deploy.layers.errors import LayerError

# For the function and its layers together, unzipped: "Lambda quotas" in AWS's developer guide.
MAX_UNZIPPED_BYTES = 262_144_000
# How many parts a failure's table names; the others share one line.
LARGEST_PARTS = 10


def folder_bytes(folder: Path) -> int:
    """Return the size in bytes of a file, or of all files in a folder."""
    return sum(path.stat().st_size for path in (folder, *folder.rglob("*")) if path.is_file())


def parts_of(folder: Path) -> dict[str, int]:
    """Return the size in bytes of each file and folder directly in a folder, by name."""
    return {path.name: folder_bytes(path) for path in folder.iterdir()}


def check(parts: dict[str, int]) -> None:
    """Check that all parts together are within Lambda's limit.

    Raises
    ------
    LayerError
        With a table of the largest parts.
    """
    total = sum(parts.values())
    if total > MAX_UNZIPPED_BYTES:
        raise LayerError(
            f"the function and layers are {total:,} bytes unzipped, {total - MAX_UNZIPPED_BYTES:,} more than Lambda's "
            f"{MAX_UNZIPPED_BYTES:,}:\n{table(parts)}\nThe wheels for arm64 are smaller: try ARCH=arm64"
        )


def table(parts: dict[str, int]) -> str:
    """Return a line for each of the largest parts, largest first, and the total."""
    largest = sorted(parts.items(), key=lambda part: (-part[1], part[0]))
    rows = largest[:LARGEST_PARTS]
    if others := largest[LARGEST_PARTS:]:
        rows.append((f"{len(others)} others", sum(size for _, size in others)))
    rows.append(("total", sum(parts.values())))
    return "\n".join(f"  {size:>13,}  {name}" for name, size in rows)
