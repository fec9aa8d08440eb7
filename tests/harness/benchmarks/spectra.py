"""Draws embeddings that are distributed as those of people: `python -m tests.harness.benchmarks.spectra` measures how.

spectra.json has each dimension's mean and variance in the default pack's embeddings of two labelled sets. Vectors with
independent dimensions of these match as often as real ones, and their first dimensions exclude as many.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.accuracy.labelled_faces import read_csv, read_lfw
from models.accuracy.set_embeddings import SetEmbedder
from tests.packs import SHARED_FACES, retail_pack

FILE = Path(__file__).with_name("spectra.json")
SCRATCH = Path("build") / "accuracy"

Vectors = NDArray[np.float32]


def main() -> None:
    if not SHARED_FACES.exists():
        sys.exit("The labelled faces are not in ../shared.")
    embedder = SetEmbedder(retail_pack(), SCRATCH)
    sets = {"LFW": read_lfw(SHARED_FACES.parent / "lfw"), "east_asia": read_csv(str(SHARED_FACES / "east_asia.csv"))}
    spectra = {}
    for name, labelled in sets.items():
        embeddings = embedder.embed(labelled)
        embeddings = embeddings[~np.isnan(embeddings).any(axis=1)]
        spectra[name] = {
            "length": round(float(np.linalg.norm(embeddings, axis=1).mean()), 6),
            "mean": [float(f"{value:.3g}") for value in embeddings.mean(axis=0)],
            "variance": [float(f"{value:.3g}") for value in embeddings.var(axis=0)],
        }
    FILE.write_text(json.dumps(spectra) + "\n")


def drawn(name: str, count: int, seed: int, faces_per_person: int = 1, within: float = 0.25) -> Vectors:
    """Return vectors of the length of a set's embeddings; faces of one person follow one another.

    Faces differ from their person's vector by some `within` in length, and so from each other by some 1.4 times that.
    """
    spectrum = json.loads(FILE.read_text())[name]
    mean, deviation = (np.array(spectrum["mean"], np.float32), np.sqrt(np.array(spectrum["variance"], np.float32)))
    random = np.random.default_rng(seed)
    people = random.standard_normal((-(-count // faces_per_person), len(mean)), np.float32) * deviation + mean
    people *= spectrum["length"] / np.linalg.norm(people, axis=1, keepdims=True)
    faces = np.repeat(people, faces_per_person, axis=0)[:count]
    if faces_per_person > 1:
        faces += random.standard_normal(faces.shape, np.float32) * np.float32(within / len(mean) ** 0.5)
        faces *= spectrum["length"] / np.linalg.norm(faces, axis=1, keepdims=True)
    return np.asarray(faces, np.float32)


if __name__ == "__main__":
    main()
