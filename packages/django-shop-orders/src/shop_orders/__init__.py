"""Carts, checkout, orders and payments for any Django site's own product table."""
