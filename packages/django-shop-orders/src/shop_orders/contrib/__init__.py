"""Integrations of other libraries, one package per library, imported only where a site uses them."""
