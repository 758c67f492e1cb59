"""Compiled queries, writers of rows, and transactions."""
