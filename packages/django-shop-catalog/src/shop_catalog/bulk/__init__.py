"""Writing thousands of rows at a time: products, links, categories and statistics of an import."""

from shop_catalog.bulk.queries import analyse, insert, take_keys, update, use_one_snapshot

__all__ = ["analyse", "insert", "take_keys", "update", "use_one_snapshot"]
