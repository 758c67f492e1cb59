"""The router of the site."""

from typing import Any

PLACES = {
    **dict.fromkeys(("auth", "contenttypes", "admin", "shop_catalog", "shop_orders"), "shop"),
    "shop_notify": "notify",
}


class Router:
    def db_for_read(self, model: Any, **_hints: Any) -> str:
        return PLACES.get(model._meta.app_label, "default")

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool:
        return db == PLACES.get(app_label, "default")
