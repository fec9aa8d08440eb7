"""Turns pixels into embeddings: detectors, alignment, embedder and the model packs that they run."""
