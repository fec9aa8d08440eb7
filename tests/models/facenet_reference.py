"""Records outputs of the `facenet-pytorch` package's module, and checks our checkpoint reader against torch.

Neither package is among the tests' requirements, because torch alone is larger than all of them. Run this script from
the project's folder, with an interpreter that has both. It rewrites facenet_reference.json, which the tests compare
with:

    python -m tests.models.facenet_reference
"""

from __future__ import annotations

import io
import json

import facenet_pytorch
import numpy as np
import torch

from models import torch_checkpoint
from tests.models import torch_files
from tests.models.facenet_weights import RECORD, Tensors, chips, weights


def main() -> None:
    torch.set_num_threads(1)
    module = facenet_pytorch.InceptionResnetV1().eval()
    shapes = {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
    tensors = weights(shapes)
    module.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in tensors.items()})
    RECORD.write_text(json.dumps({"shapes": shapes, "embeddings": _embeddings(module)}, indent=0) + "\n")
    print(f"{RECORD.name}: {len(shapes)} tensors, {len(chips())} embeddings")
    for is_zip in (False, True):
        file = io.BytesIO()
        torch.save(module.state_dict(), file, _use_new_zipfile_serialization=is_zip)
        assert _same(torch_checkpoint.read(file.getvalue()), tensors)
        print(f"read as torch.save wrote it, {'zip' if is_zip else 'older'} form: identical")
    for write in (torch_files.older_form, torch_files.zip_form):
        read = torch.load(io.BytesIO(write(tensors)), weights_only=True)
        assert _same({name: tensor.numpy() for name, tensor in read.items()}, tensors)
        print(f"read by torch.load, {write.__name__} of the tests: identical")


def _embeddings(module: torch.nn.Module) -> list[list[float]]:
    """Return the outputs of the last batch normalisation, before the module scales them to unit length."""
    outputs: list[torch.Tensor] = []
    module.last_bn.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    with torch.no_grad():
        module(torch.from_numpy(chips()))
    return [[float(f"{value:.7g}") for value in embedding] for embedding in outputs[0].tolist()]


def _same(read: Tensors, expected: Tensors) -> bool:
    return list(read) == list(expected) and all(
        values.dtype == expected[name].dtype and np.array_equal(values, expected[name]) for name, values in read.items()
    )


if __name__ == "__main__":
    main()
