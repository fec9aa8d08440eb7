"""Damages files: each kind is a function from randomness to a case."""

from __future__ import annotations

import itertools
import struct
import zlib

import numpy as np

from tests.harness.hostile.pictures import originals, png_writer
from tests.harness.hostile.pictures.case import BROKEN, OTHER_TYPE, Case, Rng, either, refused, whole

JPEG_END = b"\xff\xd9"
SIGNATURE_BYTES = {"JPEG": 3, "PNG": 8}
# After marker and length, a frame's header has precision, height, width and number of components (ITU T.81, B.2.2).
FRAMES = (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2")


def _original(rng: Rng) -> Case:
    return (originals.jpeg if rng.integers(2) else originals.png)(rng)


def truncation(rng: Rng) -> Case:
    """A file cut off at a random place."""
    original = _original(rng)
    length = int(rng.integers(len(original.file) - 1))
    known = length >= SIGNATURE_BYTES[original.kind.split()[0]]
    return refused("truncation", original.file[:length], BROKEN if known else OTHER_TYPE)


def truncation_with_an_end(rng: Rng) -> Case:
    """A JPEG with an end marker inside its data, with or without the rest of the data after the marker."""
    original = originals.jpeg(rng)
    length = int(rng.integers(3, len(original.file) - 3))
    # Inside a table, the marker would be damage and not an end, and unusual sampling hides damage.
    rest = original.file[length:] if rng.integers(2) and original.kind != "JPEG CMYK" else b""
    file = original.file[:length] + JPEG_END + rest
    if original.kind == "JPEG CMYK":  # with unusual sampling, accepted if no part of the picture is missing
        return Case("truncation, with an end", file, original.shows, original.tolerance, taken=True, refusals=BROKEN)
    return refused("truncation, with an end", file)


def truncated_data_in_whole_chunks(rng: Rng) -> Case:
    """A PNG with truncated pixel data in correct chunks."""
    chunks, _ = originals.png_chunks(rng, png_writer.RGB, 8)
    data = chunks[-1][8:-4]
    cut = data[: int(rng.integers(len(data) * 9 // 10))]
    return refused("truncated data in whole chunks", png_writer.file(*chunks[:-1], png_writer.chunk(b"IDAT", cut)))


def too_few_rows(rng: Rng) -> Case:
    """A PNG with correctly compressed data of fewer rows than its header states."""
    chunks, shown = originals.png_chunks(rng, png_writer.RGB, 8)
    rows = zlib.decompress(chunks[-1][8:-4])[: -int(rng.integers(1, shown.shape[0])) * (1 + 3 * shown.shape[1])]
    return refused("too few rows", png_writer.file(*chunks[:-1], png_writer.chunk(b"IDAT", zlib.compress(rows))))


def flipped_bits(rng: Rng) -> Case:
    """Some flipped bits; a PNG's checksums detect them, and JPEG has no checksums."""
    original = _original(rng)
    file = bytearray(original.file)
    is_png = original.kind.startswith("PNG")
    for place in rng.integers(SIGNATURE_BYTES["PNG" if is_png else "JPEG"], len(file), int(rng.integers(1, 4))):
        file[place] ^= 1 << int(rng.integers(8))
    if bytes(file) == original.file:
        return original
    return (refused if is_png else either)("flipped bits", bytes(file))


def overwritten_part(rng: Rng) -> Case:
    """A part overwritten with zeros or noise."""
    original = _original(rng)
    file = bytearray(original.file)
    is_png = original.kind.startswith("PNG")
    start = int(rng.integers(SIGNATURE_BYTES["PNG" if is_png else "JPEG"], len(file) - 2))
    length = int(rng.integers(1, min(500, len(file) - start) + 1))
    file[start : start + length] = bytes(length) if rng.integers(2) else rng.bytes(length)
    if bytes(file) == original.file:
        return original
    return (refused if is_png else either)("overwritten part", bytes(file))


def missing_part(rng: Rng) -> Case:
    """A piece of the middle is missing or appears twice."""
    original = _original(rng)
    file, is_png = original.file, original.kind.startswith("PNG")
    start, end = sorted(rng.integers(SIGNATURE_BYTES["PNG" if is_png else "JPEG"], len(file), 2))
    if start == end:
        return original
    twice = bool(rng.integers(2))
    changed = file[:end] + file[start:] if twice else file[:start] + file[end:]
    return (refused if is_png else either)("part twice" if twice else "missing part", changed)


def spliced(rng: Rng) -> Case:
    """The beginning of one JPEG and the end of another."""
    one, other = originals.jpeg(rng).file, originals.jpeg(rng).file
    return either("spliced", one[: int(rng.integers(3, len(one)))] + other[int(rng.integers(len(other) - 2)) :])


def jpeg_header_lie(rng: Rng) -> Case:
    """A JPEG frame with a wrong size, precision or number of components."""
    file = bytearray(originals.jpeg(rng).file)
    frame = next(place for place in range(len(file)) if bytes(file[place : place + 2]) in FRAMES)
    field = int(rng.integers(5))
    if field == 0:
        file[frame + 4] = int(rng.choice([0, 1, 7, 9, 12, 16, 255]))
    elif field == 1:
        file[frame + 9] = int(rng.integers(256))
    else:
        place = frame + (5 if field == 2 else 7)
        struct.pack_into(">H", file, place, int(rng.choice([0, 1, 47, 48, 100, 1_000, 4_096, 4_097, 65_535])))
    return either("JPEG header lies", bytes(file))


def jpeg_segment_lie(rng: Rng) -> Case:
    """A JPEG with a wrong length or kind in one segment."""
    file = bytearray(originals.jpeg(rng).file)
    position, places = 2, []
    while file[position + 1] != 0xDA:
        places.append(position)
        position += 2 + struct.unpack_from(">H", file, position + 2)[0]
    place = int(rng.choice([*places, position]))
    if rng.integers(2):
        struct.pack_into(">H", file, place + 2, int(rng.integers(65_536)))
    else:
        file[place + 1] = int(rng.integers(256))
    return either("JPEG segment lies", bytes(file))


def png_header_lie(rng: Rng) -> Case:
    """A PNG header with a correct checksum, but a larger size or another kind of pixels."""
    chunks, shown = originals.png_chunks(rng, png_writer.RGB, 8)
    height, width = shown.shape[:2]
    size, pixels = [width, height], [8, png_writer.RGB, 0, 0, 0]
    if rng.integers(2):
        size[int(rng.integers(2))] += int(rng.choice([1, 8, 1_000, 4_000, 2**31 - 1 - 4_096]))
    else:
        # More bits than the data have, or invalid values.
        field, value = [(0, 16), (0, 3), (1, png_writer.RGB_ALPHA), (1, 5), (1, 255), (2, 1), (3, 9), (4, 2)][
            rng.integers(8)
        ]
        pixels[field] = value
    header = png_writer.chunk(b"IHDR", struct.pack(">II5B", *size, *pixels))
    return refused("PNG header lies", png_writer.file(header, *chunks[1:]))


def huge_sides_in_a_tiny_file(rng: Rng) -> Case:
    """A few bytes that declare sides of gigabytes of pixels."""
    sides = rng.integers(4_097, 65_536, 2) if rng.integers(2) else rng.integers(2**20, 2**31, 2)
    width, height = (int(side) for side in sides)
    if max(width, height) > 65_535 or rng.integers(2):
        bits, colour = [(1, png_writer.GREY), (8, png_writer.RGB), (16, png_writer.RGB_ALPHA)][rng.integers(3)]
        data = png_writer.chunk(b"IDAT", zlib.compress(bytes(int(rng.integers(10_000)))))
        return refused(
            "huge sides in a tiny file", png_writer.file(png_writer.header(width, height, bits, colour), data)
        )
    file = bytearray(originals.jpeg(rng).file)
    frame = next(place for place in range(len(file)) if bytes(file[place : place + 2]) in FRAMES)
    struct.pack_into(">HH", file, frame + 5, height, width)
    return refused("huge sides in a tiny file", bytes(file))


def chunks_out_of_order(rng: Rng) -> Case:
    """A PNG with a late or repeated header, or with its end before its pixels."""
    colour = int(rng.choice([png_writer.RGB, png_writer.PALETTE]))
    chunks, _ = originals.png_chunks(rng, colour, 8)
    chunks = [chunk for chunk in chunks if chunk[4:8] != b"tRNS"]
    header, end, *rest = chunks[0], png_writer.chunk(b"IEND", b""), *chunks[1:]
    orders = [
        [*rest, header],
        [header, header, *rest],
        [header, end, *rest],
        [header, *rest[:-1]],
        [end, header, *rest],
    ]
    if colour == png_writer.PALETTE:
        orders += [[header, rest[1], rest[0]], [header, rest[1]], [rest[0], header, rest[1]]]
    order = orders[rng.integers(len(orders))]
    return refused("chunks out of order", png_writer.file(*order))


def chunks_in_between(rng: Rng) -> Case:
    """A PNG with data in many chunks and other chunks, unknown or compressed bombs, between header and data."""
    chunks, shown = originals.png_chunks(rng, png_writer.RGB, 8)
    data = chunks[-1][8:-4]
    cuts = [0, *sorted(rng.integers(len(data), size=int(rng.integers(20)))), len(data)]
    pieces = [png_writer.chunk(b"IDAT", data[start:end]) for start, end in itertools.pairwise(cuts)]
    bomb = zlib.compress(bytes(5_000_000))
    others = [
        png_writer.chunk(b"tEXt", b"Comment\0" + rng.bytes(200)),
        png_writer.chunk(b"zTXt", b"Comment\0\0" + bomb),
        png_writer.chunk(b"iCCP", b"profile\0\0" + bomb),
        png_writer.chunk(b"iTXt", b"Comment\0\1\0\0\0" + bomb),
        png_writer.chunk(b"gAMA", rng.bytes(4)),
        png_writer.chunk(b"tRNS", rng.bytes(6)),
        png_writer.chunk(b"acTL", rng.bytes(8)),
        png_writer.chunk(b"fcTL", rng.bytes(26)),
        png_writer.chunk(b"fdAT", rng.bytes(300)),
        png_writer.chunk(b"eXIf", rng.bytes(100)),
        png_writer.chunk(b"abCd", rng.bytes(int(rng.integers(1_000)))),
    ]
    some = [others[index] for index in rng.integers(len(others), size=int(rng.integers(1, 6)))]
    return whole("chunks in between", png_writer.file(chunks[0], *some, *pieces, *some), shown, 0)


def unknown_critical_chunk(rng: Rng) -> Case:
    """A PNG with an unknown critical chunk."""
    chunks, _ = originals.png_chunks(rng, png_writer.RGB, 8)
    unknown = png_writer.chunk(bytes(rng.choice(list(b"ABCXYZ"), size=4).astype(np.uint8)), rng.bytes(10))
    chunks.insert(int(rng.integers(1, len(chunks) + 1)), unknown)
    return refused("unknown critical chunk", png_writer.file(*chunks))
