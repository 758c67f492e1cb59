"""A small shop with a product source, payment provider, notifier and pricing hook of its own, typed strictly."""
