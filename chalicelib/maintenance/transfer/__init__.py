"""Takes the face set out into an archive, and in from one; docs/transfer.md describes the archive."""
