"""Records OpenVINO's outputs for face-reidentification-retail-0095.

OpenVINO is not among the tests' requirements. Run this script from the project's folder, with an interpreter that has
`openvino` and `scikit-image`. It rewrites retail_0095_reference.json, which the tests compare with:

    python -m tests.models.retail_0095_reference face-reidentification-retail-0095.xml
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage import data

RECORD = Path(__file__).with_suffix(".json")


def chips() -> NDArray[np.float32]:
    """Return eight chips of one face, made of every second pixel: 8 x 3 x 128 x 128, BGR, 0 to 255."""
    picture = data.astronaut()
    parts = [picture[y : y + 256 : 2, x : x + 256 : 2, ::-1] for y in (70, 90) for x in (110, 122, 134, 146)]
    return np.ascontiguousarray(np.stack(parts).transpose(0, 3, 1, 2), np.float32)


def recorded() -> NDArray[np.float32]:
    """Return OpenVINO's outputs for the chips, 8 x 256."""
    return np.array(json.loads(RECORD.read_text()), np.float32)


def main(xml: str) -> None:
    import openvino  # type: ignore[import-not-found]  # not among the tests' requirements

    core = openvino.Core()
    model = core.read_model(xml)
    model.reshape([8, 3, 128, 128])
    # By default OpenVINO uses bfloat16 on processors that support it.
    network = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    embeddings = network(chips())[0].reshape(8, -1)
    RECORD.write_text(json.dumps([[float(f"{value:.7g}") for value in row] for row in embeddings]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
