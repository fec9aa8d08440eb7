"""Use cases of a request."""
