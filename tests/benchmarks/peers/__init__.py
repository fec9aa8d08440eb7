"""The detector and the embedder beside what a user would pick instead: `python -m tests.benchmarks.peers.run`."""
