"""The problem codes of every API."""

from __future__ import annotations

import importlib

from shop_reference.markdown import table, words


def problems() -> str:
    modules = {
        "shop_catalog": "shop_catalog.api.codes",
        "shop_orders": "shop_orders.api.codes",
        "shop_orders, accounts": "shop_orders.contrib.allauth.api",
        "shop_notify": "shop_notify.api.codes",
    }
    parts = []
    for title, path in modules.items():
        help_ = importlib.import_module(path).MEANINGS
        rows = [(f"`{code}`", words(str(help_[code]))) for code in sorted(help_)]
        parts.append(f"## {title}\n\n" + table(("code", "what it means"), rows))
    return "\n\n".join(parts)
