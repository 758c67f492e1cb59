"""The packages from which the pages are generated."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shop_catalog", "shop_orders", "shop_notify")
