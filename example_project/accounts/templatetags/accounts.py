"""Scopes on the consent page."""

from __future__ import annotations

from typing import Any

from allauth.idp.oidc.adapter import get_adapter
from django import template

register = template.Library()


@register.filter
def explained(scopes: Any) -> list[dict[str, Any]]:
    """The check boxes of the scopes in the order of the adapter, each with the sentence that explains it."""
    adapter = get_adapter()
    order = list(adapter.scope_display)
    boxes = [{"box": box, "help": adapter.scope_help.get(box.data["value"], "")} for box in scopes]
    return sorted(boxes, key=lambda entry: order.index(entry["box"].data["value"]))
