"""A Wagtail site's own app: pages that are sold."""
