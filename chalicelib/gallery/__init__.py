"""Searches the known faces, in memory or in a vector index."""
