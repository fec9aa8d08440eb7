"""Errors of a deployment."""

from __future__ import annotations


class DeployError(Exception):
    """A deployment cannot continue. The message gives the reason and the remedy."""
