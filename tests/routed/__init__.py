"""A site of three databases: accounts, catalogue and orders in ``shop``, the outbox in ``notify``, the rest in
``default``."""
