"""Files of other types in place of pictures, and files of two types at once."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile

import numpy as np
from PIL import Image as Pillow

from tests.harness.hostile.pictures import originals
from tests.harness.hostile.pictures.case import OTHER_TYPE, Case, Rng, refused, whole

TYPES = ("GIF", "WEBP", "BMP", "TIFF", "ICO", "PPM", "PDF", "TGA", "JPEG2000", "EPS", "AVIF")


def _archive(rng: Rng) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("picture.jpg"), rng.bytes(300))
    return buffer.getvalue()


def another_type(rng: Rng) -> Case:
    """A picture of a type that is not accepted, whole or cut off, still or animated."""
    kind = str(rng.choice(TYPES))
    pixels = originals.picture(rng)
    frames = [Pillow.fromarray(pixels), Pillow.fromarray(np.ascontiguousarray(pixels[::-1]))]
    options = (
        {"save_all": True, "append_images": frames[1:]} if kind in ("GIF", "WEBP", "TIFF") and rng.integers(2) else {}
    )
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, **options)
    file = buffer.getvalue()
    return refused(f"another type, {kind}", file[: int(rng.integers(1, len(file) + 1))], OTHER_TYPE)


def no_picture(rng: Rng) -> Case:
    """An archive, text, markup, a program, zeros, noise, or nothing."""
    size = int(rng.integers(1, 5_000))
    # Noise must not start like a JPEG or PNG.
    files = [
        _archive(rng),
        json.dumps({"image": "photo.jpg"}).encode(),
        b"<svg xmlns='http://www.w3.org/2000/svg' width='100' height='100'/>",
        b"\x7fELF" + rng.bytes(size),
        bytes(size),
        b"",
        b"\xff" * size,
        b"\xff\xd8",
        b"\x89PNG\n\x1a\n" + rng.bytes(size),
        b"~" + rng.bytes(size),
    ]
    return refused("no picture", files[rng.integers(len(files))], OTHER_TYPE)


def picture_with_more_behind_it(rng: Rng) -> Case:
    """A whole picture followed by an archive, a page or another picture."""
    original = (originals.jpeg if rng.integers(2) else originals.png)(rng)
    behind = [
        _archive(rng),
        b"<script>alert(1)</script>",
        originals.jpeg(rng).file,
        originals.png(rng).file,
        bytes(3_000),
    ]
    file = original.file + behind[rng.integers(len(behind))]
    assert original.shows is not None
    return whole("picture with more behind it", file, original.shows, original.tolerance)


def picture_in_a_comment(rng: Rng) -> Case:
    """A JPEG with an archive, another JPEG, or markers in its segments."""
    original = originals.jpeg(rng)
    inside = [_archive(rng), originals.jpeg(rng).file, b"\xff\xd9" * 100, b"\xff\xda\0\x08" * 50, b"GIF89a" + bytes(50)]
    content = inside[rng.integers(len(inside))][:60_000]
    marker = int(rng.choice([0xFE, 0xE1, 0xE2, 0xEC, 0xEF]))
    segment = struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
    file = original.file[:2] + segment * int(rng.integers(1, 4)) + original.file[2:]
    assert original.shows is not None
    return whole("picture in a comment", file, original.shows, original.tolerance)


def picture_behind_something(rng: Rng) -> Case:
    """A whole picture after other bytes."""
    original = (originals.jpeg if rng.integers(2) else originals.png)(rng)
    before = [b"GIF89a", b"%PDF-1.7\n", b"PK\3\4", b"\0", b"\n", b"<!--"]
    return refused("picture behind something", before[rng.integers(len(before))] + original.file, OTHER_TYPE)


def padded(rng: Rng) -> Case:
    """A JPEG with bytes before its end and its restart markers, and zeros or fill between segments."""
    original = originals.jpeg(rng)
    data = original.file.index(b"\xff\xda")
    data += 2 + int.from_bytes(original.file[data + 2 : data + 4])
    second = 4 + int.from_bytes(original.file[4:6])
    between = (b"\0" if rng.integers(2) else b"\xff") * int(rng.integers(5))
    before = bytes(rng.integers(255, size=int(rng.integers(20)), dtype=np.uint8))
    coded = re.sub(b"(?=\xff[\xd0-\xd7])", lambda _: before if rng.integers(2) else b"", original.file[data:-2])
    padding = bytes(int(rng.integers(1, 3_000)))
    file = original.file[:second] + between + original.file[second:data] + coded + padding + original.file[-2:]
    assert original.shows is not None
    return whole("padded", file, original.shows, original.tolerance)


def harmless_flaws(rng: Rng) -> Case:
    """A sequential JPEG with scan parameters that it does not use, as written by phones."""
    original = originals.jpeg(rng)
    while b"\xff\xc2" in original.file:
        original = originals.jpeg(rng)
    end = original.file.index(b"\0\x3f\0", original.file.index(b"\xff\xda"))
    file = original.file[:end] + rng.bytes(3) + original.file[end + 3 :]
    assert original.shows is not None
    return whole("harmless flaws", file, original.shows, original.tolerance)


def odd_exif(rng: Rng) -> Case:
    """EXIF data that are truncated, of unknown byte order, or noise."""
    original = originals.jpeg(rng)
    while b"Exif\0\0" in original.file:
        original = originals.jpeg(rng)
    tiff = [b"", b"II*\0", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff" + bytes(100), rng.bytes(40)][
        rng.integers(5)
    ]
    segment = struct.pack(">BBH", 0xFF, 0xE1, len(tiff) + 8) + b"Exif\0\0" + tiff
    assert original.shows is not None
    return whole("odd EXIF", original.file[:2] + segment + original.file[2:], original.shows, original.tolerance)
