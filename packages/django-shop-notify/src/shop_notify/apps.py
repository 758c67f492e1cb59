from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class ShopNotifyConfig(AppConfig):
    name = "shop_notify"
    label = "shop_notify"
    verbose_name = _("Notifications")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from shop_notify import checks, routes  # noqa: F401

        routes.connect()
        if apps.is_installed("anymail"):
            from shop_notify import anymail_tracking

            anymail_tracking.connect()
