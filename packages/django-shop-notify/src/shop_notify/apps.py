from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ShopNotifyConfig(AppConfig):
    name = "shop_notify"
    label = "shop_notify"
    verbose_name = _("Notifications")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from shop_notify import checks, routes  # noqa: F401

        routes.connect()
