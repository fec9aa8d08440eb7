"""Builds model packs from published weights; never imported at run time."""
