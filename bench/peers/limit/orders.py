"""The practical limit of cart and checkout: hand-written, prepared SQL behind a bare WSGI function.

Three statements for an add and five for a checkout; the same rows, constraints and responses as ours; no hooks and no
options.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import orjson
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

CURRENCY = "KES"
MAX_QUANTITY = 999
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
POOL = ConnectionPool(os.environ["DATABASE_URL"], min_size=4, max_size=4, kwargs={"autocommit": True})

PUBLISHED = (
    "p.kind <> 'group' AND p.is_active AND (p.publish_from IS NULL OR p.publish_from <= now())"
    " AND (p.publish_until IS NULL OR p.publish_until > now())"
)
PICTURE = (
    "(SELECT i.file FROM shop_catalog_productimage i WHERE i.product_id = p.id"
    " ORDER BY i.is_primary DESC, i.position, i.id LIMIT 1)"
)
LOG_IN = """
SELECT u.id, c.id, c.public_id, c.email, c.first_name, c.last_name FROM auth_user u
  JOIN shop_orders_customer c ON c.user_id = u.id WHERE u.username = %s AND u.is_active"""
PUT = f"""
WITH product AS (SELECT sku, name, price, stock_quantity - reserved_quantity AS available
                   FROM shop_catalog_product p WHERE sku = %s AND {PUBLISHED}),
opened AS (INSERT INTO shop_orders_cart (public_id, customer_id, status, created_at, updated_at)
           SELECT gen_random_uuid(), %s, 'open', now(), now() FROM product
           ON CONFLICT (customer_id) WHERE status = 'open' DO UPDATE SET updated_at = EXCLUDED.updated_at
           RETURNING id)
INSERT INTO shop_orders_cartitem AS line (cart_id, product_ref, quantity, name, price_when_added, added_at)
SELECT opened.id, sku, %s, name, price, now() FROM opened, product
ON CONFLICT (cart_id, product_ref) DO UPDATE SET quantity = line.quantity + EXCLUDED.quantity,
   name = EXCLUDED.name, price_when_added = EXCLUDED.price_when_added
WHERE line.quantity + EXCLUDED.quantity <= LEAST({MAX_QUANTITY}, (SELECT available FROM product))
RETURNING cart_id"""
VIEW = f"""
SELECT l.product_ref, l.quantity, l.price_when_added, p.sku, p.name, p.price, p.stock_quantity - p.reserved_quantity,
       {PICTURE}
  FROM shop_orders_cartitem l LEFT JOIN shop_catalog_product p ON p.sku = l.product_ref AND {PUBLISHED}
 WHERE l.cart_id = %s ORDER BY l.id"""
LOCK_CART = "SELECT id FROM shop_orders_cart WHERE customer_id = %s AND status = 'open' FOR UPDATE"
LINES = f"""
SELECT p.id, p.sku, p.name, l.quantity, p.price, p.stock_quantity - p.reserved_quantity, p.tax_class, p.weight, l.id
  FROM shop_orders_cartitem l JOIN shop_catalog_product p ON p.sku = l.product_ref AND {PUBLISHED}
 WHERE l.cart_id = %s ORDER BY p.id FOR UPDATE OF p"""
WRITE = """
WITH closed AS (UPDATE shop_orders_cart SET status = 'ordered', updated_at = now() WHERE id = %(cart)s),
placed AS (
  INSERT INTO shop_orders_order (number, customer_id, cart_id, status, payment_status, contact_name, email,
    email_key, phone, language, shipping_address, billing_address, delivery, payment_provider, customer_note, visitor,
    currency, subtotal, charges_total, net_total, tax_total, total, credited_amount, paid_amount, refunded_amount,
    cancel_reason, reservations, placed_at, updated_at)
  VALUES (%(number)s, %(customer)s, %(cart)s, 'confirmed', 'unpaid', %(name)s, %(email)s, %(email)s, '', 'en-us',
    %(address)s, '{}', '', 'on_delivery', '', '', 'KES', %(total)s, 0, %(total)s, 0, %(total)s, 0, 0, 0,
    '', 1, now(), now())
  RETURNING id, placed_at),
lines AS (
  INSERT INTO shop_orders_orderline (order_id, position, product_ref, sku, name, quantity, unit_price, line_total,
    tax_class, price_includes_tax, discount, net, tax, weight, shipped_quantity, cancelled_quantity,
    restocked_quantity)
  SELECT placed.id, position, sku, sku, name, quantity, price, price * quantity, tax_class, true, 0,
    price * quantity, 0, weight, 0, 0, 0
    FROM placed, unnest(%(skus)s::text[], %(names)s::text[], %(quantities)s::int[], %(prices)s::numeric[],
      %(tax_classes)s::text[], %(weights)s::numeric[]) WITH ORDINALITY
      AS line (sku, name, quantity, price, tax_class, weight, position)),
events AS (
  INSERT INTO shop_orders_orderevent (event_id, order_id, kind, is_public, actor_id, message, old_status, new_status,
    signal, payload, created_at, announced_at, attempts, next_attempt_at, last_error)
  SELECT gen_random_uuid(), placed.id, kind, true, %(user)s, '', '', '', signal, %(payload)s, now(), now(), 0, now(),
    '' FROM placed, (VALUES ('placed', 'order_placed'), ('status_changed', 'order_status_changed'))
      AS recorded (kind, signal))
SELECT placed_at FROM placed"""
TAKE = """
WITH wanted AS (SELECT * FROM unnest(%(ids)s::bigint[], %(quantities)s::int[]) AS wanted (id, quantity)),
moved AS (
  INSERT INTO shop_catalog_stockmovement (product_id, kind, stock_change, reserved_change, reference, reason,
    created_at, event_id, crossing)
  SELECT id, 'reserve', 0, quantity, %(number)s, '', now(), gen_random_uuid(), '' FROM wanted)
UPDATE shop_catalog_product p SET reserved_quantity = reserved_quantity + wanted.quantity FROM wanted
 WHERE p.id = wanted.id AND reserved_quantity + wanted.quantity <= stock_quantity"""

Result = tuple[str, Any]


class Refused(Exception):
    """A refusal; nothing changes."""


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    action = {"/orders/cart/add_item/": add_item, "/orders/orders/": place_order}.get(environ["PATH_INFO"])
    result: Result = ("404 Not Found", {})
    if action is not None:
        result = action(environ["HTTP_AUTHORIZATION"].removeprefix("Bearer "), json.loads(body))
    status, value = result
    content = orjson.dumps(value)
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]


def add_item(token: str, payload: dict[str, Any]) -> Result:
    with POOL.connection() as connection:
        customer = _rows(connection, LOG_IN, token)[0][1]
        put = _rows(connection, PUT, payload["product"], customer, payload["quantity"])
        if not put:
            return "409 Conflict", {}
        rows = _rows(connection, VIEW, put[0][0])
    return "200 OK", _cart(rows)


def place_order(token: str, payload: dict[str, Any]) -> Result:
    body = "".join(secrets.choice(ALPHABET) for _character in range(10))
    number = f"{body[:5]}-{body[5:]}"
    try:
        with POOL.connection() as connection, connection.transaction():
            user, customer, public_id, email, first_name, last_name = _rows(connection, LOG_IN, token)[0]
            cart = _rows(connection, LOCK_CART, customer)[0][0]
            rows = _rows(connection, LINES, cart)
            _refuse(when=any(row[3] > row[5] for row in rows))
            in_cart = sorted(rows, key=lambda row: row[8])
            total = sum((row[3] * row[4] for row in rows), Decimal(0))
            name = f"{first_name} {last_name}".strip()
            address = {**EMPTY_ADDRESS, **payload["shipping_address"]}
            lines = [_line(row) for row in in_cart]
            said = {
                "number": number,
                "total": _money(total),
                "lines": lines,
                "recipients": {"customer": {"key": f"customer:{public_id}", "email": email, "name": name}},
            }
            values = {
                "cart": cart,
                "number": number,
                "customer": customer,
                "user": user,
                "name": name,
                "email": email,
                "address": Jsonb(address),
                "total": total,
                "payload": Jsonb(said),
                "skus": [row[1] for row in in_cart],
                "names": [row[2] for row in in_cart],
                "quantities": [row[3] for row in in_cart],
                "prices": [row[4] for row in in_cart],
                "tax_classes": [row[6] for row in in_cart],
                "weights": [row[7] for row in in_cart],
            }
            placed_at = connection.execute(WRITE, values, prepare=True).fetchone()[0]  # type: ignore[index]
            taken = {"ids": [row[0] for row in rows], "quantities": [row[3] for row in rows], "number": number}
            _refuse(when=connection.execute(TAKE, taken, prepare=True).rowcount != len(rows))
    except Refused:
        return "409 Conflict", {}
    amounts = dict.fromkeys(("subtotal", "net_total", "total", "amount_due"), _money(total))
    nothing = ("tax_total", "credited_amount", "paid_amount", "refunded_amount", "refunds_under_way", "refund_due")
    return "201 Created", {
        "number": number,
        "status": "confirmed",
        "payment_status": "unpaid",
        "placed_at": placed_at,
        "expires_at": None,
        "currency": CURRENCY,
        **amounts,
        **dict.fromkeys(nothing, "0.00"),
        "contact": {"name": name, "email": email, "phone": ""},
        "shipping_address": address,
        "billing_address": {},
        "delivery": "",
        "payment_provider": "on_delivery",
        "note": "",
        "lines": lines,
        "charges": [],
        "tax_lines": [],
        "can_be_cancelled": True,
        "cancel_reason": "",
        "guest_token": "",
    }


def _refuse(*, when: bool) -> None:
    if when:
        raise Refused


EMPTY_ADDRESS = dict.fromkeys(
    ("name", "company", "line1", "line2", "city", "region", "postal_code", "country", "phone"), ""
)


def _cart(rows: list[Any]) -> dict[str, Any]:
    total = sum((row[5] * row[1] for row in rows), Decimal(0))
    return {
        "currency": CURRENCY,
        "item_count": sum(row[1] for row in rows),
        "lines": [
            {
                "product": ref,
                "sku": sku,
                "name": name,
                "quantity": quantity,
                "unit_price": _money(price),
                "price_when_added": _money(price_when_added),
                "line_total": _money(price * quantity),
                "available": available,
                "url": "",
                "image": _thumb(file),
                "changes": [] if price == price_when_added else ["price_changed"],
                **_untaxed(price * quantity),
            }
            for ref, quantity, price_when_added, sku, name, price, available, file in rows
        ],
        "charges": [],
        "tax_lines": [],
        "subtotal": _money(total),
        "net_total": _money(total),
        "tax_total": "0.00",
        "total": _money(total),
        "can_be_ordered": all(row[1] <= row[6] for row in rows),
        "problem": "",
    }


def _line(row: Any) -> dict[str, Any]:
    _id, sku, name, quantity, price = row[:5]
    line = {"product": sku, "sku": sku, "name": name, "quantity": quantity, "unit_price": _money(price)}
    total = price * quantity
    return {**line, "line_total": _money(total), "shipped_quantity": 0, **_untaxed(total)}


def _untaxed(total: Decimal) -> dict[str, Any]:
    return {"discount": "0.00", "tax_rate": None, "net": _money(total), "tax": "0.00"}


def _rows(connection: Any, statement: str, *parameters: Any) -> list[Any]:
    found: list[Any] = connection.execute(statement, parameters, prepare=True).fetchall()
    return found


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _thumb(file: str | None) -> str:
    stem, _dot, suffix = (file or "").rpartition(".")
    return f"/media/{stem}.thumb.{suffix}" if file else ""
