"""How large function and layers are unzipped, and whether Lambda takes them."""

from __future__ import annotations

from pathlib import Path

from infra.deploy.layers.errors import LayerError

# Function and layers together, unzipped: "Lambda quotas" of AWS's developer guide.
MAX_UNZIPPED_BYTES = 262_144_000
# Parts that the table of a failure names; the others are one line.
LARGEST_PARTS = 10


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder, or of a file."""
    return sum(path.stat().st_size for path in (folder, *folder.rglob("*")) if path.is_file())


def parts_of(folder: Path) -> dict[str, int]:
    """Return the bytes of each thing that lies in a folder, by its name."""
    return {path.name: folder_bytes(path) for path in folder.iterdir()}


def check(parts: dict[str, int]) -> None:
    """Check that all parts together are not too large.

    Raises
    ------
    LayerError
        With a table of the largest.
    """
    total = sum(parts.values())
    if total > MAX_UNZIPPED_BYTES:
        raise LayerError(
            f"function and layers are {total:,} bytes unzipped, {total - MAX_UNZIPPED_BYTES:,} more than Lambda's "
            f"{MAX_UNZIPPED_BYTES:,}:\n{table(parts)}\nThe wheels of arm64 are smaller: ARCH=arm64"
        )


def table(parts: dict[str, int]) -> str:
    """Return a line for each of the largest parts, largest first, and the total."""
    largest = sorted(parts.items(), key=lambda part: (-part[1], part[0]))
    rows = largest[:LARGEST_PARTS]
    if others := largest[LARGEST_PARTS:]:
        rows.append((f"{len(others)} others", sum(size for _, size in others)))
    rows.append(("total", sum(parts.values())))
    return "\n".join(f"  {size:>13,}  {name}" for name, size in rows)
