"""Turns published weights into model packs; never imported at run time."""
