"""``manage.py draw_pictures``: draw the pictures that lie in demo/pictures/ again, after a change to the drawings."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from demo import drawings
from demo.catalogue import PICTURES, PRODUCTS


class Command(BaseCommand):
    help = "Draw the sample products' pictures into demo/pictures/."

    def handle(self, *args: Any, **options: Any) -> None:
        for item in PRODUCTS:
            for name, what in item.pictures.items():
                (PICTURES / name).write_bytes(drawings.draw(*what))
        self.stdout.write(f"{len(list(PICTURES.glob('*.webp')))} pictures in {PICTURES}.")
