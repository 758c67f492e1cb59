"""``manage.py write_fixtures``: write the three fixtures again from a database with fresh sample data."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

FIXTURES = {
    "initial_categories": ["shop_catalog.category"],
    "sample_products": ["shop_catalog.product", "shop_catalog.productcategory", "shop_catalog.stockmovement"],
    "initial_data": [
        "auth.group",
        "accounts.user",
        "account.emailaddress",
        "shop_orders.customer",
        "shop_orders.address",
        "shop_catalog.review",
    ],
}


class Command(BaseCommand):
    help = "Write fixtures/*.json. Run it after `load_sample_data --without-orders` on an empty database."

    def handle(self, *args: Any, **options: Any) -> None:
        for name, models in FIXTURES.items():
            path = settings.BASE_DIR / "fixtures" / f"{name}.json"
            call_command("dumpdata", *models, use_natural_foreign_keys=True, indent=1, output=str(path), verbosity=0)
            self.stdout.write(f"{path.name}: {path.stat().st_size:,} bytes")
