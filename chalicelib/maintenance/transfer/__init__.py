"""Exports the face set to an archive and imports it from one; docs/transfer.md describes the archive."""
