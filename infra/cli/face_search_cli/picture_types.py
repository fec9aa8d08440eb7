"""Identifies a picture's file format by its first bytes."""

from __future__ import annotations

import re
from pathlib import Path

JPEG, PNG = "JPEG", "PNG"
# The formats that the service accepts.
TAKEN = frozenset({JPEG, PNG})
# More than any pattern reads.
FIRST_BYTES = 64

# From each format's specification. Files of the HEIF family begin with a box `ftyp` that names the brand.
_KINDS = {
    JPEG: rb"\xff\xd8\xff",
    PNG: rb"\x89PNG\r\n\x1a\n",
    "HEIC": rb".{4}ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1)",
    "AVIF": rb".{4}ftyp(avif|avis)",
    "Canon raw": rb".{4}ftypcrx |II\*\0.{4}CR",
    "WebP": rb"RIFF.{4}WEBP",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM.{4}\0\0\0\0",
    "TIFF or camera raw": rb"II[*+]\0|MM\0[*+]|IIU\0|IIRO|FUJIFILMCCD-RAW",
    "JPEG 2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n",
    "Photoshop": rb"8BPS",
}
_PATTERNS = {kind: re.compile(pattern, re.DOTALL) for kind, pattern in _KINDS.items()}
# File names with these suffixes are meant to be pictures.
_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".heic", ".heif", ".avif", ".webp", ".gif", ".bmp", ".dib"}
    | {".tif", ".tiff", ".jp2", ".j2k", ".jxl", ".psd", ".svg", ".ico"}
    | {".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".rw2", ".orf", ".pef"}
)


def kind_of(path: Path, first_bytes: bytes) -> str | None:
    """Return the format of a picture, or None for a file that is not a picture.

    Returns "unknown kind" for a file that has a picture's suffix but contents of no known format.
    """
    for kind, pattern in _PATTERNS.items():
        if pattern.match(first_bytes):
            return kind
    return "unknown kind" if path.suffix.lower() in _SUFFIXES else None
