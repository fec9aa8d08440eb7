"""Decodes picture files."""
