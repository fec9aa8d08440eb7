"""The container images, checked without Docker."""
