"""The search of both databases passes the contract kit."""

from shop_catalog.testing import SearchContract


class TestSearch(SearchContract):
    """PostgreSQL or SQLite, by the database of the run."""
