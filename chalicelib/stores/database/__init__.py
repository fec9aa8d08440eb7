"""Runs SQL on MySQL or SQLite."""
