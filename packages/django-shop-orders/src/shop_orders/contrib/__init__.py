"""Bridges to other libraries, one package a library. Nothing here is imported unless the site names it."""
