from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ShopOrdersConfig(AppConfig):
    name = "shop_orders"
    label = "shop_orders"
    verbose_name = _("Orders")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from shop_orders import checks, pages

        checks.register()
        pages.connect()
