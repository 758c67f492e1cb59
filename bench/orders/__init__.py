"""What cart and checkout cost, beside other shops: ``python -m bench.orders``."""
