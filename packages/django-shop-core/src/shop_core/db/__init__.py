"""Compiled queries, fast INSERT and UPDATE, and transactions."""
