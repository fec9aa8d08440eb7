"""The face set in SQL: faces, names, changes, segments and the active model."""
