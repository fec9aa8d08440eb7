"""Measures how accurately a pack distinguishes people, on labelled faces; never imported at run time."""
