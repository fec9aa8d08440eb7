"""Stores the face set in SQL: faces, names, changes, segments, vector indexes and the active model."""
