"""Runs jobs: each in a process of its own, the network of all of them in one more."""
