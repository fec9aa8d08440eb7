"""Tests a new version of the API's function before it answers clients."""
