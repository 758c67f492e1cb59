"""The practical limit: hand-written, prepared SQL and one JSON encoder behind a bare WSGI function."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import orjson
from psycopg_pool import ConnectionPool

MEDIA = "/media/"
CURRENCY = "KES"
POOL = ConnectionPool(os.environ["DATABASE_URL"], min_size=4, max_size=4, kwargs={"autocommit": True})

PUBLISHED = (
    "p.is_active AND (p.publish_from IS NULL OR p.publish_from <= now())"
    " AND (p.publish_until IS NULL OR p.publish_until > now())"
)
ITEM = f"""
SELECT p.id, p.sku, p.slug, p.name, p.kind, p.price, p.compare_at_price, p.stock_quantity > p.reserved_quantity,
       p.is_featured, p.rating_average, p.rating_count, i.file, i.alt, p.created_at,
       (SELECT json_agg(json_build_object('slug', c.slug, 'name', c.name) ORDER BY l.position, l.id)
          FROM shop_catalog_productcategory l JOIN shop_catalog_category c ON c.id = l.category_id
         WHERE l.product_id = p.id)
  FROM shop_catalog_product p
  LEFT JOIN shop_catalog_productimage i ON i.product_id = p.id AND i.is_primary
 WHERE p.parent_id IS NULL AND p.price IS NOT NULL AND {PUBLISHED}"""
ORDER = " ORDER BY p.created_at DESC, p.id DESC LIMIT 21"
BEYOND = " AND (p.created_at, p.id) < (%s::timestamptz, %s)"
SUBTREE = """
 AND EXISTS (SELECT 1 FROM shop_catalog_productcategory l JOIN shop_catalog_category c ON c.id = l.category_id
 WHERE l.product_id = p.id AND c.tree_id = %s AND c.lft BETWEEN %s AND %s)"""
DETAIL = f"""
SELECT p.id, p.sku, p.slug, p.name, p.kind, p.description, p.price, p.compare_at_price, p.tax_class, p.attributes,
       p.options, p.weight, p.stock_quantity - p.reserved_quantity, p.is_active, p.is_featured, p.publish_from,
       p.publish_until, p.rating_average, p.rating_count,
       (SELECT json_agg(json_build_object('id', i.public_id, 'file', i.file, 'alt', i.alt, 'width', i.width,
               'height', i.height, 'is_primary', i.is_primary) ORDER BY i.is_primary DESC, i.position, i.id)
          FROM shop_catalog_productimage i WHERE i.product_id = p.id),
       (SELECT json_agg((SELECT json_agg(json_build_object('slug', a.slug, 'name', a.name) ORDER BY a.lft)
                           FROM shop_catalog_category a
                          WHERE a.tree_id = c.tree_id AND a.lft <= c.lft AND a.rght >= c.rght)
                        ORDER BY l.position, l.id)
          FROM shop_catalog_productcategory l JOIN shop_catalog_category c ON c.id = l.category_id
         WHERE l.product_id = p.id)
  FROM shop_catalog_product p WHERE p.slug = %s AND {PUBLISHED}"""
TREE = "SELECT id, parent_id, name, slug, level FROM shop_catalog_category ORDER BY tree_id, lft"
BOUNDS = "SELECT tree_id, lft, rght FROM shop_catalog_category WHERE slug = %s"
AVERAGE = f"""
SELECT count(*), avg(p.price), min(p.price), max(p.price) FROM shop_catalog_product p
 WHERE p.kind <> 'group' AND {PUBLISHED} AND p.id IN (
   SELECT l.product_id FROM shop_catalog_productcategory l JOIN shop_catalog_category c ON c.id = l.category_id
    WHERE c.tree_id = %s AND c.lft BETWEEN %s AND %s)"""
HAS_WORDS = "shop_catalog_search_words(p.search_text) @@ %s::tsquery"
SEARCH = f"""
SELECT f.* FROM ({ITEM} AND {HAS_WORDS}
 ORDER BY (strpos(p.search_text, %s) > 0) DESC, ({HAS_WORDS}) DESC, p.id DESC LIMIT 21) f"""

Result = tuple[str, bytes]


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"].strip("/").split("/")
    query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    match path:
        case ["products", "categories", "tree"]:
            status, body = tree()
        case ["products", "categories", slug, "average_price"]:
            status, body = average(slug)
        case ["products", "products"]:
            status, body = listed(query)
        case ["products", "products", slug]:
            status, body = detail(slug)
        case _:
            status, body = "404 Not Found", b"{}"
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def listed(query: dict[str, str]) -> Result:
    if "q" in query:
        words = query["q"].split()
        anywhere, in_name = (" & ".join(f"'{mark}{word}':*" for word in words) for mark in ("", "="))
        rows = _rows(SEARCH, anywhere, f" #{''.join(words)} ", in_name)
    elif "category" in query:
        bounds = _rows(BOUNDS, query["category"])
        rows = _rows(ITEM + SUBTREE + ORDER, *bounds[0])
    elif "after" in query:
        rows = _rows(ITEM + BEYOND + ORDER, query["after"], int(query["id"]))
    else:
        rows = _rows(ITEM + ORDER)
    last = rows[19] if len(rows) > 20 else None
    return _ok(
        {"items": [_item(row) for row in rows[:20]], "next": f"{last[13].isoformat()},{last[0]}" if last else None}
    )


def detail(slug: str) -> Result:
    rows = _rows(DETAIL, slug)
    if not rows:
        return "404 Not Found", b"{}"
    row = rows[0]
    return _ok(
        {
            "sku": row[1],
            "slug": row[2],
            "name": row[3],
            "kind": row[4],
            "group": None,
            "description": row[5],
            "price": _money(row[6]),
            "compare_at_price": _money(row[7]),
            "lowest_price_30_days": _money(row[6]),
            "currency": CURRENCY,
            "price_includes_tax": True,
            "tax_class": row[8],
            "attributes": row[9],
            "options": row[10],
            "weight": row[11],
            "available": row[12],
            "in_stock": row[12] > 0,
            "is_active": row[13],
            "is_featured": row[14],
            "publish_from": row[15],
            "publish_until": row[16],
            "rating": str(row[17]),
            "rating_count": row[18],
            "images": [_image(image) for image in row[19] or []],
            "variants": [],
            "breadcrumbs": row[20] or [],
        }
    )


def tree() -> Result:
    nodes: dict[int, dict[str, Any]] = {}
    roots: list[dict[str, Any]] = []
    for key, parent, name, slug, level in _rows(TREE):
        node = {"name": name, "slug": slug, "level": level, "image": None, "children": []}
        nodes[key] = node
        (nodes[parent]["children"] if parent else roots).append(node)
    return _ok(roots)


def average(slug: str) -> Result:
    bounds = _rows(BOUNDS, slug)
    count, mean, lowest, highest = _rows(AVERAGE, *bounds[0])[0]
    body = {"category": slug, "currency": CURRENCY, "count": count}
    return _ok({**body, "average": _money(mean), "min": _money(lowest), "max": _money(highest)})


def _rows(statement: str, *parameters: Any) -> list[Any]:
    with POOL.connection() as connection:
        return connection.execute(statement, parameters, prepare="tree_id" not in statement).fetchall()


def _ok(value: Any) -> Result:
    return "200 OK", orjson.dumps(value)


def _item(row: Any) -> dict[str, Any]:
    return {
        "sku": row[1],
        "slug": row[2],
        "name": row[3],
        "kind": row[4],
        "price": _money(row[5]),
        "compare_at_price": _money(row[6]),
        "currency": CURRENCY,
        "in_stock": row[7],
        "is_featured": row[8],
        "rating": str(row[9]),
        "rating_count": row[10],
        "image": {"url": _rendition(row[11], "card"), "alt": row[12]} if row[11] else None,
        "categories": row[14] or [],
    }


def _image(image: dict[str, Any]) -> dict[str, Any]:
    file = image.pop("file")
    return {
        **image,
        "url": MEDIA + file,
        "renditions": {name: _rendition(file, name) for name in RENDITIONS},
    }


RENDITIONS = dict(pair.split(":") for pair in os.environ["BENCH_RENDITIONS"].split(","))


def _rendition(file: str, name: str) -> str:
    return f"{MEDIA}{file}.{RENDITIONS[name]}.webp"


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.2f}"
