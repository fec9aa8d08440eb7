"""Compares the detector and the embedder with their alternatives.

`python -m tests.harness.benchmarks.peers.run`.
"""
