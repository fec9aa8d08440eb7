"""Generates cases from a seed, decodes them, and checks the answers."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from chalicelib.faces import Image
from tests.harness.hostile.pictures import damage, foreign, originals
from tests.harness.hostile.pictures.case import Case, Rng
from tests.harness.hostile.pictures.decoder import Decoder, DecoderLostError, Refusal

KINDS: tuple[Callable[[Rng], Case], ...] = (
    originals.jpeg,
    originals.png,
    damage.truncation,
    damage.truncation_with_an_end,
    damage.truncated_data_in_whole_chunks,
    damage.too_few_rows,
    damage.flipped_bits,
    damage.overwritten_part,
    damage.missing_part,
    damage.spliced,
    damage.jpeg_header_lie,
    damage.jpeg_segment_lie,
    damage.png_header_lie,
    damage.huge_sides_in_a_tiny_file,
    damage.chunks_out_of_order,
    damage.chunks_in_between,
    damage.unknown_critical_chunk,
    foreign.another_type,
    foreign.no_picture,
    foreign.picture_with_more_behind_it,
    foreign.picture_in_a_comment,
    foreign.picture_behind_something,
    foreign.padded,
    foreign.odd_exif,
    foreign.harmless_flaws,
)


@dataclass
class Tally:
    """The results of each kind of case, and the errors."""

    taken: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, str, bytes]] = field(default_factory=list)
    """The case's number, the error, and the file."""


def case(seed: int, number: int) -> Case:
    """Return the case of a number, the same at each call; kinds take turns by number."""
    return KINDS[number % len(KINDS)](np.random.default_rng([seed, number]))


def judge_all(cases: Iterator[tuple[str, Case]], decoder: Decoder) -> Tally:
    """Decode each case; stop if the decoder is lost."""
    tally = Tally()
    for place, one in cases:
        kind = one.kind.split(",")[0]
        try:
            answer = decoder.decode(one.file)
        except DecoderLostError as error:
            tally.faults.append((place, f"{one.kind}: {error}", one.file))
            if "no answer" in str(error) or "died" in str(error):
                break
            continue
        (tally.refused if isinstance(answer, Refusal) else tally.taken)[kind] += 1
        if fault := judge(one, answer):
            tally.faults.append((place, f"{one.kind}: {fault}", one.file))
    return tally


def judge(one: Case, answer: Image | Refusal) -> str | None:
    """Return the error of an answer; None if the answer is right."""
    if isinstance(answer, Refusal):
        if answer.code == "1004" and answer.status in one.refusals:
            return None
        return f"refused: {answer}"
    if not one.taken:
        return f"taken as {answer.shape[1]} x {answer.shape[0]}"
    shows = _as_another_decoder_reads_it(one.file) if one.shows is None else one.shows
    if shows is None:
        return "accepted, but no other decoder reads it"
    if shows.shape != answer.shape:
        return f"taken as {answer.shape[1]} x {answer.shape[0]}, but it is {shows.shape[1]} x {shows.shape[0]}"
    difference = float(cv2.absdiff(np.ascontiguousarray(shows), answer).mean())
    return None if difference <= one.tolerance else f"mean difference {difference:.2f}"


def _as_another_decoder_reads_it(file: bytes) -> Image | None:
    """Return a file's picture as read by Pillow or, if Pillow fails, by OpenCV."""
    try:
        with Pillow.open(io.BytesIO(file)) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"), np.uint8)
    except Exception:  # noqa: BLE001  # Pillow raises whatever it meets
        return cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR_RGB)  # type: ignore[return-value]
