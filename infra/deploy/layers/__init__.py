"""Builds the two Lambda layers, of requirements.txt and of model packs: `python -m infra.deploy.layers PACK ...`."""
