"""A model pack: a folder with a card (TOML) and the ONNX files that it names. All that is specific to a model is in the
card; `models/build.py` makes packs.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Network = Callable[[NDArray[Any]], NDArray[np.float32]]
"""Runs one network: its only input -> its only output. Safe to call from several threads at once."""


class ModelPackError(Exception):
    """The pack is missing, damaged or wrongly described; the message is one sentence for whoever set it up."""


class DetectorCard(NamedTuple):
    """`files` maps a network's role to its file; `smallest_face` is in pixels, the shorter side; `thresholds` are
    probabilities, one for every step that the detector takes.
    """

    kind: str
    files: dict[str, str]
    smallest_face: int
    pyramid_factor: float
    thresholds: tuple[float, ...]


class EmbedderCard(NamedTuple):
    """How a chip is made and what comes out.

    The chip is `input_size` px square; its landmarks lie at `template` (5 x 2, [x, y] px). The network takes
    `(pixel - mean) * scale` in `colour_order`. `mirrored`: whether its output is averaged with that for the chip's
    mirror image. `unit_length`: whether that is brought to length 1. `calibration` then scales it, so that the
    contract's threshold of 0.65 means what the model's authors advise.

    `recognisability` has pairs, both ascending: a length, and the share of LFW's faces, in percent, whose output is
    shorter than that before it is brought to length 1.
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
    """The distance within which different people pass as one at the rate `fmr`, measured on `data`.

    `false_match_rates` has the rate that each labelled set comes to at this distance, by the set's name.
    """

    fmr: float
    distance: float
    true_match_rate: float
    data: str
    false_match_rates: dict[str, float] = {}  # noqa: RUF012  # a card's own table; nothing changes it

    @property
    def worst(self) -> float | None:
        """The highest rate of any set; None where they were not measured."""
        return max(self.false_match_rates.values(), default=None)


class ModelPack:
    """A card, and its networks on demand.

    Parameters
    ----------
    smallest_face
        Takes the place of the card's, in pixels. It changes which faces are found, and not what is made of them.
    sealed
        Whether the files were compared with the card before, and cannot have changed: in a layer, which `make layers`
        has made. To compare them again takes a tenth of a container's start.

    Raises
    ------
    ModelPackError
        When the folder has no readable card.
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
        """Load one ONNX file on one thread.

        Raises
        ------
        ModelPackError
            When the file is missing, or its sha256 is not the card's; a sealed pack's is not looked at.
        """
        path = self.folder / file
        try:
            with path.open("rb") as model:
                same = self._sealed or hashlib.file_digest(model, "sha256").hexdigest() == self._digests.get(file)
        except OSError as error:
            raise ModelPackError(f"the model file {path} cannot be read: {error.strerror}; `make models`") from error
        if not same:
            raise ModelPackError(
                f"the model file {path} is damaged or not the card's: its sha256 differs; `make models`"
            )
        return _on_onnxruntime(path)


def _on_onnxruntime(model: Path) -> Network:
    import onnxruntime  # 0.1 s: paid when the first model is loaded

    options = onnxruntime.SessionOptions()
    # One thread a run: several pictures at once use the cores better, and the results cannot depend on timing.
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
    """Read a card's tables.

    Raises
    ------
    ModelPackError
        When there is none, or it is not TOML.
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
    """Name what is wrong with a card, from the error that reading its tables raised."""
    reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
    return ModelPackError(f"the model card {path} is not valid: {reason}")


def detector_card(card: dict[str, Any]) -> DetectorCard:
    """Read the table `detector` of a card's tables; KeyError, TypeError or ValueError when it is not valid."""
    table = card["detector"]
    return DetectorCard(
        kind=table["kind"],
        files=dict(table["files"]),
        smallest_face=int(table["smallest_face"]),
        pyramid_factor=float(table["pyramid_factor"]),
        thresholds=tuple(map(float, table["thresholds"])),
    )


def embedder_card(card: dict[str, Any]) -> EmbedderCard:
    """Read the table `embedder` of a card's tables; KeyError, TypeError or ValueError when it is not valid."""
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
    """Name what an embedding depends on: the weights, and all that happens to pixels and output around them."""
    files = [card["files"][file] for file in (*card["detector"]["files"].values(), card["embedder"]["file"])]
    parts = json.dumps([card["detector"], card["embedder"], files], sort_keys=True)
    return f"{name}-{card['embedder']['dimension']}-{hashlib.sha256(parts.encode()).hexdigest()[:12]}"


def _detector_id(card: dict[str, Any]) -> str:
    """Name what landmarks depend on."""
    files = {role: card["files"][file] for role, file in card["detector"]["files"].items()}
    parts = json.dumps([card["detector"], files], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:12]
