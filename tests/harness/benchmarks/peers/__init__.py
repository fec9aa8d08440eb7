"""The detector and the embedder beside what a user would pick instead.

`python -m tests.harness.benchmarks.peers.run`.
"""
