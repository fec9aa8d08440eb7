"""Adds and identifies the faces of pictures that arrive in a bucket or a folder."""
