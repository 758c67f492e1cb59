"""``manage.py make_renditions``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from shop_catalog import images


class Command(BaseCommand):
    help = (
        "Make the smaller copies of all images that have none, or those of other sizes than "
        "SHOP_CATALOG['RENDITION_WIDTHS']. The periodic job does the same, 25 seconds at a time."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        made = images.make_renditions(seconds=float("inf"))
        self.stdout.write(f"Images with new smaller copies: {made}")
