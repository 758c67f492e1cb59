"""The delivery options that a checkout page offers. Their prices are charged by a pricing hook of the site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, kw_only=True)
class DeliveryOption:
    """``code`` is stored as the order's ``delivery``. ``price`` is only shown; None: the page shows no price."""

    code: str = ""
    label: Any = ""
    hint: Any = ""
    price: Decimal | None = None
    needs_address: bool = True


def by_code(options: Iterable[DeliveryOption]) -> Mapping[str, DeliveryOption]:
    """The options by their codes. A shop without options has a single one, to the customer's address."""
    return {option.code: option for option in options} or {"": DeliveryOption()}
