"""Checks bearer tokens, in a function of its own that only stages with Identity = "jwt" have."""
