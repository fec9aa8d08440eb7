"""From pixels to embeddings: detector, alignment, embedder, and the pack of models they run."""
