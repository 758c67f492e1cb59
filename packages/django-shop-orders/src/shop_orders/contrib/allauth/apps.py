from django.apps import AppConfig


class AllauthConfig(AppConfig):
    """Install it beside ``shop_orders``: ``"shop_orders.contrib.allauth"``. It has no tables."""

    name = "shop_orders.contrib.allauth"
    label = "shop_orders_allauth"

    def ready(self) -> None:
        from shop_orders.contrib.allauth import checks, receivers

        receivers.connect()
        checks.register()
