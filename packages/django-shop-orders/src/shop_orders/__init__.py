"""Carts, checkout, orders and payments for any Django site's own product table."""

__version__ = "0.1.0"
