"""A site's own app: products in a tree, with prices that have a currency."""
