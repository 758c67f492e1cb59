"""Benchmarks of cart and checkout against other shops: ``python -m bench.orders``."""
