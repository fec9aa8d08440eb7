"""Computes a projection that reduces an embedding's dimension, if the last convolution has a lower rank than channels.

`python -m models.accuracy.projection retail-0095 --lfw lfw --from network.xml network.bin` writes the file in the
card's `sources.embedder.files.projection`. It prints the file's sha256 and the energy of the first rows.

The matrix's rows are orthonormal and span the columns of the convolution's kernel, so distances between embeddings stay
the same. The rows are the principal components of LFW's embeddings of unit length, in the order of their variance. The
first dimensions of a projected embedding therefore contribute most to a distance.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray

from chalicelib.vision.model_pack import ModelPack, read_card
from models import openvino_ir, sources
from models.accuracy.labelled_faces import read_lfw
from models.accuracy.set_embeddings import SetEmbedder
from models.build import BUILD, CARDS, build, card_path

# Singular values below this share of the largest one are ignored. retail-0095's 145th is 0.36 of the largest one, its
# 161st 0.003.
NEGLIGIBLE = 4e-3
SCRATCH = Path("build") / "accuracy"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.accuracy.projection", description=__doc__)
    parser.add_argument("pack", help="a card's name")
    parser.add_argument("--channels", type=int, default=256, help="channels of the network's last convolution")
    parser.add_argument("--lfw", type=Path, required=True, help="a folder with LFW's pictures")
    parser.add_argument(
        "--from", dest="files", type=Path, nargs="+", default=[], help="local files to use in place of published ones"
    )
    given = parser.parse_args()
    cv2.setNumThreads(1)
    card = card_path(given.pack)
    table = read_card(card)
    file = CARDS / table["sources"]["embedder"]["files"]["projection"]["file"]
    with tempfile.TemporaryDirectory() as folder:
        kernel, embeddings = _unprojected(card, Path(folder), given.channels, given.files, given.lfw)
    matrix = projection(kernel, embeddings, table["embedder"]["dimension"])
    file.write_bytes(openvino_ir.stored_projection(matrix))
    print(f"{file}: sha256 {sources.sha256(file)}")
    energy = np.cumsum((embeddings @ matrix.T).var(axis=0))
    shares = ", ".join(f"{rows}: {energy[rows - 1] / energy[-1]:.3f}" for rows in range(32, len(matrix) + 1, 32))
    print(f"variance in the first rows: {shares}")


def projection(kernel: NDArray[np.float64], embeddings: NDArray[np.float64], dimension: int) -> NDArray[np.float64]:
    """Return the projection, dimension x channels.

    Parameters
    ----------
    kernel : of the last convolution, channels x inputs, without bias.
    embeddings : of this network, n x channels, of unit length.

    Raises
    ------
    ValueError
        If the kernel's rank is larger than `dimension`.
    """
    left, singular, _ = np.linalg.svd(kernel, full_matrices=False)
    if singular[dimension] > NEGLIGIBLE * singular[0]:
        raise ValueError(f"the kernel's rank must be at most {dimension}, the card's dimension")
    span = left[:, :dimension]
    variances, rotation = np.linalg.eigh(np.cov((embeddings @ span).T))
    rows = (span @ rotation[:, np.argsort(-variances)]).T
    # The sign of a principal component is arbitrary: here, its largest entry is positive.
    return np.asarray(rows * np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)])[:, None])


def _unprojected(
    card: Path, folder: Path, channels: int, files: list[Path], lfw: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the last convolution's kernel, channels x inputs, and LFW's embeddings, n x channels, of unit length."""
    table = read_card(card)
    text = re.sub(r"(?ms)^\[sources\.embedder\.files\.projection\]\n.*?(?=^\[|\Z)", "", card.read_text("utf-8"))
    text = re.sub(r"(?m)^dimension = \d+", f"dimension = {channels}", text)
    plain = folder / f"{table['name']}-unprojected.toml"
    plain.write_text(text.replace(f'name = "{table["name"]}"', f'name = "{plain.stem}"'), "utf-8")
    (folder / "sources").symlink_to((BUILD / "sources").resolve())
    pack = ModelPack(build(plain, folder, files))
    labelled = read_lfw(lfw)
    embeddings = SetEmbedder(pack, SCRATCH).embed(labelled).astype(np.float64)
    embeddings = embeddings[~np.isnan(embeddings[:, 0])] / pack.embedder.calibration
    return _last_kernel(pack.folder / pack.embedder.file), embeddings


def _last_kernel(file: Path) -> NDArray[np.float64]:
    model = onnx.load(str(file))
    made_by = {output: node for node in model.graph.node for output in node.output}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    last = made_by[made_by[model.graph.output[0].name].input[0]]
    weights = last.input[1]
    tensor = tensors[weights if weights in tensors else made_by[weights].input[0]]
    kernel = onnx.numpy_helper.to_array(tensor).astype(np.float64)
    return kernel.reshape(len(kernel), -1)


if __name__ == "__main__":
    main()
