"""Whole files of every accepted kind, made from real pictures, with the pixels of each."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import skimage.data
from PIL import Image as Pillow
from PIL import ImageOps

from chalicelib.faces import Image
from tests.harness.hostile.pictures import png_writer
from tests.harness.hostile.pictures.case import OTHER_DECODER_TOLERANCE, Case, Rng, whole

SMALLEST_PX, LARGEST_PX = 48, 224
PNG_COLOURS = {
    png_writer.GREY: (1, 2, 4, 8, 16),
    png_writer.RGB: (8, 16),
    png_writer.PALETTE: (1, 2, 4, 8),
    png_writer.GREY_ALPHA: (8, 16),
    png_writer.RGB_ALPHA: (8, 16),
}
CHANNELS = {
    png_writer.GREY: 1,
    png_writer.RGB: 3,
    png_writer.PALETTE: 1,
    png_writer.GREY_ALPHA: 2,
    png_writer.RGB_ALPHA: 4,
}


def picture(rng: Rng) -> Image:
    """Return a part of a photograph, height x width x 3, RGB."""
    photo = _photographs()[rng.integers(len(_photographs()))]
    width, height = (int(rng.integers(SMALLEST_PX, LARGEST_PX + 1)) for _ in range(2))
    left, top = rng.integers(photo.shape[1] - width + 1), rng.integers(photo.shape[0] - height + 1)
    return photo[top : top + height, left : left + width]


def jpeg(rng: Rng) -> Case:
    """A sequential or progressive JPEG in RGB, grey or CMYK, with or without restart markers and orientation.

    Pillow provides the expected pixels.
    """
    mode = str(rng.choice(["RGB", "RGB", "L", "CMYK"]))
    image = Pillow.fromarray(picture(rng)).convert(mode)
    orientation = int(rng.integers(9))
    options = {
        "quality": int(rng.integers(75, 98)),
        "progressive": bool(rng.integers(2)),
        "optimize": bool(rng.integers(2)),
        "subsampling": int(rng.integers(3)),
        "restart_marker_blocks": int(rng.choice([0, 0, 1, 5])),
        "comment": rng.bytes(int(rng.integers(50))),
    }
    if orientation:
        options["exif"] = _exif(orientation)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    with Pillow.open(buffer) as decoded:
        shows = np.asarray(ImageOps.exif_transpose(decoded).convert("RGB"), np.uint8)
    return whole(f"JPEG {mode}", buffer.getvalue(), shows, OTHER_DECODER_TOLERANCE)


def png(rng: Rng) -> Case:
    """A PNG of any colour type, bit depth and interlacing, with or without orientation."""
    colour = int(rng.choice(list(PNG_COLOURS)))
    bits = int(rng.choice(PNG_COLOURS[colour]))
    interlaced, orientation = bool(rng.integers(2)), int(rng.integers(9))
    chunks, shown = png_chunks(rng, colour, bits, interlaced=interlaced)
    if orientation:
        place = int(rng.integers(1, len(chunks) + 1))
        chunks.insert(place, png_writer.chunk(b"eXIf", _exif(orientation)[6:]))
    kind = f"PNG colour {colour}, {bits} bits{', interlaced' if interlaced else ''}"
    return whole(kind, png_writer.file(*chunks), _upright(Pillow.fromarray(shown), orientation), 0)


def png_chunks(rng: Rng, colour: int, bits: int, *, interlaced: bool = False) -> tuple[list[bytes], Image]:
    """Return the chunks of a picture, header first, and its pixels."""
    pixels = picture(rng)
    most = 2**bits - 1
    if colour == png_writer.PALETTE:
        palette = rng.integers(256, size=(most + 1, 3), dtype=np.uint8)
        indices = (pixels[:, :, :1].astype(np.uint16) * most // 255).astype(np.uint8)
        chunks = png_writer.encode(indices, bits, colour, interlaced=interlaced, palette=palette.tobytes())
        if rng.integers(2):
            chunks.insert(2, png_writer.chunk(b"tRNS", rng.bytes(most + 1)))
        return chunks, palette[indices[:, :, 0]]
    colours = pixels if CHANNELS[colour] > 2 else pixels[:, :, 1:2]
    samples = colours.astype(np.uint16) * most // 255
    alpha = rng.integers(most + 1, size=(*pixels.shape[:2], 1), dtype=np.uint16)
    shown = samples >> 8 if bits == 16 else samples * 255 // most
    stored = np.concatenate([samples, alpha], axis=2) if CHANNELS[colour] in (2, 4) else samples
    chunks = png_writer.encode(stored, bits, colour, interlaced=interlaced)
    return chunks, np.broadcast_to(shown, pixels.shape).astype(np.uint8)


def _upright(image: Pillow.Image, orientation: int) -> Image:
    image = image.convert("RGB")
    image.getexif()[0x0112] = orientation or 1
    return np.asarray(ImageOps.exif_transpose(image), np.uint8)


def _exif(orientation: int) -> bytes:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@lru_cache
def _photographs() -> list[Image]:
    found = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket()]
    return [np.asarray(photo, np.uint8) for photo in found]
