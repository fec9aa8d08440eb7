"""Records TensorFlow Lite's outputs for the tests' small networks and MobileFaceNet.

The runtime package, `ai-edge-litert`, is not among the tests' requirements, because it is large and has wheels for few
Python versions. Run this script from the project's folder, with an interpreter that has both. It rewrites
tflite_reference.json, which the tests compare with:

    python -m tests.models.tflite_reference
"""

from __future__ import annotations

import json

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from tests.models.tflite_files import BATCH, NETWORKS, RECORD, Array, chips, prepared, values
from tests.packs import mobilefacenet_file


def main() -> None:
    small = {}
    for name, write in NETWORKS.items():
        run = _Runtime(write())
        small[name] = run(values(*run.shape, seed=9))
    network = _Runtime(mobilefacenet_file().read_bytes())
    pairs = np.split(prepared(chips()), len(chips()) // BATCH)
    embeddings = [embedding for pair in pairs for embedding in network(pair)]
    RECORD.write_text(json.dumps({"networks": small, "embeddings": embeddings}, indent=0) + "\n")
    print(f"{RECORD.name}: {len(small)} networks, {len(embeddings)} embeddings")


class _Runtime:
    def __init__(self, file: bytes) -> None:
        self._interpreter = Interpreter(model_content=file, num_threads=1)
        self._interpreter.allocate_tensors()
        [self._input], [self._output] = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self.shape = self._input["shape"]

    def __call__(self, pictures: Array) -> list[list[float]]:
        self._interpreter.set_tensor(self._input["index"], pictures)
        self._interpreter.invoke()
        rows = self._interpreter.get_tensor(self._output["index"])
        return [[float(f"{value:.7g}") for value in numbers] for numbers in rows.tolist()]


if __name__ == "__main__":
    main()
