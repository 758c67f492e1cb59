"""How fast the shop is, beside hand-written SQL and the usual way to write it. See ``python -m bench --help``."""
