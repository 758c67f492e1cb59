"""The amounts of every sample of an order add up: in the documentation, the OpenAPI document and the messages."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from shop_core.money import exponent
from shop_notify.messages import SAMPLE_ORDER

ROOT = Path(__file__).resolve().parents[1]
JSON = re.compile(
    r"^(?P<ticks>`{3,})(?:json|\{code-block\} json)[^\n]*\n(?P<body>.*?)^(?P=ticks)", re.MULTILINE | re.DOTALL
)
PAGES = [
    page
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "packages/*/*.md",
        "plugins/*/*.md",
        "example_project/**/*.md",
        "deploy/**/*.md",
    )
    for page in ROOT.glob(pattern)
    if not {"_build", "node_modules"} & {*page.parts}
]


def orders_in(value):
    """Every order or cart in a value: what has lines and a total."""
    if isinstance(value, dict):
        if {"lines", "total"} <= set(value):
            yield value
        for part in value.values():
            yield from orders_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from orders_in(part)


def examples_in(schema):
    """The examples and defaults of an OpenAPI document."""
    if isinstance(schema, dict):
        for name in ("example", "examples", "default"):
            if name in schema:
                yield schema[name]
        for part in schema.values():
            yield from examples_in(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from examples_in(part)


def samples():
    for page in PAGES:
        for number, fence in enumerate(JSON.finditer(page.read_text(encoding="utf-8")), start=1):
            for order in orders_in(json.loads(fence["body"])):
                yield pytest.param(order, id=f"{page.relative_to(ROOT)} {number}")
    document = json.loads((ROOT / "tests/openapi.json").read_text(encoding="utf-8"))
    for order in orders_in(list(examples_in(document))):
        yield pytest.param(order, id="openapi.json")
    for order in orders_in(SAMPLE_ORDER):
        yield pytest.param(order, id="sample of messages")


def test_every_source_of_samples_is_read():
    found = [sample.id for sample in samples()]
    assert sum(name.startswith("docs/howto/orders-pricing.md") for name in found) == 2
    assert found.count("sample of messages") == 1


@pytest.mark.parametrize("order", list(samples()))
def test_amounts_of_a_sample_add_up(order):
    def amount(value):
        assert isinstance(value, str), f"money is text: {value!r}"
        assert -Decimal(value).as_tuple().exponent == exponent(order["currency"]), value
        return Decimal(value)

    charges, taxes = order["charges"], order["tax_lines"]
    for line in order["lines"]:
        assert line["quantity"] * amount(line["unit_price"]) == amount(line["line_total"])
    goods = sum(amount(line["line_total"]) for line in order["lines"])
    assert goods == amount(order["subtotal"])
    assert goods + sum(amount(row["amount"]) for row in charges if not row["is_included"]) == amount(order["total"])
    assert amount(order["net_total"]) + amount(order["tax_total"]) == amount(order["total"])
    assert sum(amount(row["amount"]) for row in taxes) == amount(order["tax_total"])
    assert [row["amount"] for row in taxes] == [row["amount"] for row in charges if row["kind"] == "tax"]
    for row in taxes:
        tolerance = (len(order["lines"]) + len(charges)) * Decimal(1).scaleb(-exponent(order["currency"])) / 2
        assert abs(amount(row["base"]) * Decimal(row["rate"]) - amount(row["amount"])) <= tolerance
    parts = [row for row in (*order["lines"], *charges) if row.get("net") is not None]
    if parts:
        assert sum(amount(row["net"]) for row in parts) == amount(order["net_total"])
        assert sum(amount(row["tax"]) for row in parts) == amount(order["tax_total"])
        discounts = sum(amount(row["amount"]) for row in charges if row["kind"] == "discount")
        assert sum(amount(row["discount"]) for row in parts) == discounts
