"""Builds the two Lambda layers, for requirements.txt and for model packs: `python -m infra.deploy.layers PACK ...`."""
