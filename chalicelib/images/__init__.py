"""Decodes JPEG and PNG files, and encodes crops."""
