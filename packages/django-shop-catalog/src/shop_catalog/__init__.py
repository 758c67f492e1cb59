"""A product catalogue for any Django site."""
