"""Benchmarks of the system, compared with the bare framework on the same machine in one run."""
