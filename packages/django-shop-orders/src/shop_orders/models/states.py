"""States of a site's own, from the setting STATES. Each stands for a built-in status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from shop_orders.conf import app_settings


class State(NamedTuple):
    """``event`` is the name of the messages about it, for routes of notify."""

    name: str
    kind: str
    label: Any
    event: str


def configured() -> Mapping[str, State]:
    """The states of the site by name, in the order of the setting."""
    return {
        name: State(name, value["KIND"], value["LABEL"], value.get("EVENT") or f"order_{name}")
        for name, value in app_settings.STATES.items()
    }


def state_label(name: str) -> str:
    """The label of a state; its name if it was removed from the setting, "" for none."""
    value = app_settings.STATES.get(name)
    return str(value["LABEL"]) if value else name
