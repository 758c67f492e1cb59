"""Compiled queries, fast INSERT, and transactions."""
