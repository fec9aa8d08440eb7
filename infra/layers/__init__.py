"""Builds the two Lambda layers: what requirements.txt pins, and the model packs. `python -m infra.layers PACK ...`."""
