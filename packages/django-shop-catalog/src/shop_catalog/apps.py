"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ShopCatalogConfig(AppConfig):
    name = "shop_catalog"
    label = "shop_catalog"
    verbose_name = _("Catalogue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from shop_catalog import checks, receivers

        checks.register()
        receivers.connect()
