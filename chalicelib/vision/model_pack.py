"""Reads a model pack: a folder with a card (TOML) and the ONNX files that the card names.

Everything specific to a model is in the card. `models/build.py` builds packs.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import REFERENCE_THRESHOLD
from chalicelib.vision.native_errors import native_errors_logged

# Lambda does not have this file. On arm64 ONNX Runtime then writes warnings that are not JSON, at each start:
# https://github.com/microsoft/onnxruntime/issues/10038
PROCESSORS = Path("/sys/devices/system/cpu/possible")

Network = Callable[[NDArray[Any]], NDArray[np.float32]]
"""Runs one network on its only input and returns its only output. Safe to call from several threads at once."""


class ModelPackError(Exception):
    """The pack is missing, damaged or wrongly described; the message is one sentence for the operator."""


class DetectorCard(NamedTuple):
    """The settings of the detector.

    `files` maps a network's role to its file. `smallest_face` is the shorter side of the smallest face, in pixels.
    `thresholds` are probabilities, one for each step of the detector.
    """

    kind: str
    files: dict[str, str]
    smallest_face: int
    pyramid_factor: float
    thresholds: tuple[float, ...]


class EmbedderCard(NamedTuple):
    """How a chip is made and how the network's output becomes an embedding.

    The chip is `input_size` px square, with its landmarks at `template` (5 x 2, [x, y] px). The network takes
    `(pixel - mean) * scale` in `colour_order`. With `mirrored`, its output is averaged with the output for the chip's
    mirror image. With `unit_length`, the output is then scaled to length 1. `calibration` finally scales the output so
    that the contract's threshold of 0.65 suits the model; each card gives the source of its value.

    `recognisability` lists pairs of a length and a share, both ascending: this share of LFW's faces, in percent, has
    outputs shorter than the length, before they are scaled to length 1.
    """

    file: str
    input_size: int
    colour_order: str
    mean: tuple[float, float, float]
    scale: float
    template: tuple[tuple[float, float], ...]
    mirrored: bool
    unit_length: bool
    dimension: int
    calibration: float
    recognisability: tuple[tuple[float, float], ...] = ()


class Threshold(NamedTuple):
    """The distance within which different people match at the rate `fmr`, measured on `data`.

    `false_match_rates` maps the name of each labelled set to its rate at this distance.
    """

    fmr: float
    distance: float
    true_match_rate: float
    data: str
    false_match_rates: dict[str, float] = {}  # noqa: RUF012  # a card's own table; nothing changes it

    @property
    def worst(self) -> float | None:
        """The highest rate of any set; None if no rate was measured."""
        return max(self.false_match_rates.values(), default=None)


def distance_at(fmr: float, thresholds: Sequence[Threshold]) -> float:
    """Return the largest distance at which different people match at a rate of at most `fmr`.

    Without a measured one, return the contract's reference distance.
    """
    return max((t.distance for t in thresholds if t.fmr <= fmr), default=REFERENCE_THRESHOLD)


class ModelPack:
    """A card, and its networks, loaded on demand.

    Parameters
    ----------
    smallest_face
        Replaces the card's value, in pixels. It changes which faces are found, but not their embeddings.
    sealed
        True if the files were compared with the card before and cannot have changed, as in a layer from `make layers`.
        Comparing them again takes a tenth of a container's start.

    Raises
    ------
    ModelPackError
        If the folder has no readable, valid card.
    """

    def __init__(self, folder: Path, smallest_face: int | None = None, *, sealed: bool = False) -> None:
        self.folder = folder
        self._sealed = sealed
        path = folder / "card.toml"
        card = read_card(path)
        try:
            self.name: str = card["name"]
            self.title: str = card["title"]
            self.detector = detector_card(card)
            if smallest_face is not None:
                self.detector = self.detector._replace(smallest_face=smallest_face)
            self.embedder = embedder_card(card)
            self.thresholds = tuple(Threshold(**threshold) for threshold in card.get("thresholds", ()))
            self.weaknesses = tuple(str(weakness["text"]) for weakness in card.get("weaknesses", ()))
            self._digests: dict[str, str] = card["files"]
            self.embedding_id = _embedding_id(self.name, card)
            self.detector_id = _detector_id(card)
        except (KeyError, TypeError, ValueError) as error:
            raise invalid(path, error) from error

    def network(self, file: str) -> Network:
        """Load one ONNX file, to run on one thread.

        Raises
        ------
        ModelPackError
            If the file cannot be read, or its sha256 differs from the card's. A sealed pack's sha256 is not checked.
        """
        path = self.folder / file
        try:
            with path.open("rb") as model:
                same = self._sealed or hashlib.file_digest(model, "sha256").hexdigest() == self._digests.get(file)
        except OSError as error:
            raise ModelPackError(
                f"the model file {path} cannot be read: {error.strerror}; `make models` rebuilds the pack"
            ) from error
        if not same:
            raise ModelPackError(
                f"the model file {path} does not have the sha256 in its card; `make models` rebuilds the pack"
            )
        return _on_onnxruntime(path)


def _on_onnxruntime(model: Path) -> Network:
    with nullcontext() if PROCESSORS.exists() else native_errors_logged():
        import onnxruntime  # takes 0.1 s, so it is imported only when a model is loaded

    options = onnxruntime.SessionOptions()
    # One thread per run: concurrent pictures use the cores better, and results cannot depend on timing.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # shapes vary from run to run
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    batch = session.get_inputs()[0].shape[0]

    def run(values: NDArray[Any]) -> NDArray[np.float32]:
        output: NDArray[np.float32] = session.run(None, {name: values})[0]
        return output

    def run_one_by_one(values: NDArray[Any]) -> NDArray[np.float32]:
        return np.concatenate([run(values[i : i + 1]) for i in range(len(values))])

    return run_one_by_one if batch == 1 else run


def read_card(path: Path) -> dict[str, Any]:
    """Return a card's tables.

    Raises
    ------
    ModelPackError
        If the card cannot be read or is not valid TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelPackError(
            f"there is no model card at {path}: {error.strerror}; `make models` builds a pack"
        ) from error
    except ValueError as error:
        raise ModelPackError(f"the model card {path} is not valid TOML: {error}") from error


def invalid(path: Path, error: Exception) -> ModelPackError:
    """Return the error that says what is wrong with a card; `error` was raised while reading its tables."""
    reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
    return ModelPackError(f"the model card {path} is not valid: {reason}")


def detector_card(card: dict[str, Any]) -> DetectorCard:
    """Return the settings in a card's table `detector`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the table is not valid.
    """
    table = card["detector"]
    return DetectorCard(
        kind=table["kind"],
        files=dict(table["files"]),
        smallest_face=int(table["smallest_face"]),
        pyramid_factor=float(table["pyramid_factor"]),
        thresholds=tuple(map(float, table["thresholds"])),
    )


def embedder_card(card: dict[str, Any]) -> EmbedderCard:
    """Return the settings in a card's table `embedder`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the table is not valid.
    """
    table = card["embedder"]
    red, green, blue = map(float, table["mean"])
    template = tuple((float(x), float(y)) for x, y in table["template"])
    if len(template) != 5:
        raise ValueError("the template must have five points")
    if table["colour_order"] not in ("RGB", "BGR"):
        raise ValueError("colour_order must be RGB or BGR")
    return EmbedderCard(
        file=table["file"],
        input_size=int(table["input_size"]),
        colour_order=table["colour_order"],
        mean=(red, green, blue),
        scale=float(table["scale"]),
        template=template,
        mirrored=bool(table.get("mirrored", False)),
        unit_length=bool(table["unit_length"]),
        dimension=int(table["dimension"]),
        calibration=float(table["calibration"]),
        recognisability=tuple((float(length), float(share)) for length, share in card.get("recognisability", ())),
    )


def _embedding_id(name: str, card: dict[str, Any]) -> str:
    """Return an id for everything an embedding depends on: the weights, and all processing before and after them."""
    files = [card["files"][file] for file in (*card["detector"]["files"].values(), card["embedder"]["file"])]
    parts = json.dumps([card["detector"], card["embedder"], files], sort_keys=True)
    return f"{name}-{card['embedder']['dimension']}-{hashlib.sha256(parts.encode()).hexdigest()[:12]}"


def _detector_id(card: dict[str, Any]) -> str:
    """Return an id for everything that landmarks depend on."""
    files = {role: card["files"][file] for role, file in card["detector"]["files"].items()}
    parts = json.dumps([card["detector"], files], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:12]
