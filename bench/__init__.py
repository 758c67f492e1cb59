"""Benchmarks of the shop against hand-written SQL and other ways to write it. See ``python -m bench --help``."""
