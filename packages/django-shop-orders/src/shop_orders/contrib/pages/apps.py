from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PagesConfig(AppConfig):
    """Install it beside ``shop_orders``: ``"shop_orders.contrib.pages"``. It has no tables."""

    name = "shop_orders.contrib.pages"
    label = "shop_orders_pages"
    verbose_name = _("Pages of the shop")

    def ready(self) -> None:
        from shop_orders.contrib.pages import checks, merging

        checks.register()
        merging.connect()
