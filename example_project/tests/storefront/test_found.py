"""Pages for search engines."""

from __future__ import annotations

from decimal import Decimal
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree as ET

import pytest
from shop_catalog import categories, products

pytestmark = pytest.mark.django_db

LOC = "{http://www.sitemaps.org/schemas/sitemap/0.9}loc"


def locations(client, path):
    response = client.get(path)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/xml"
    return [node.text.removeprefix("http://testserver") for node in ET.fromstring(response.content).iter(LOC)]


def test_the_sitemap_names_every_page_that_can_be_found(client, kitchen, mug, shirt):
    products.create("HIDDEN", name="Hidden", price=Decimal(1), is_active=False)
    categories.create("Closed", is_active=False)

    sections = locations(client, "/sitemap.xml")
    found = [path for section in sections for path in locations(client, section)]

    assert sorted(found) == [
        "/",
        "/categories/",
        "/category/kitchen/",
        "/product/acacia-shirt/",
        "/product/market-mug/",
    ]
    assert {client.get(path).status_code for path in found} == {200}


def test_robots_may_read_public_pages_only(client, db):
    response = client.get("/robots.txt")
    rules = RobotFileParser()
    rules.parse(response.content.decode().splitlines())

    assert response["Content-Type"].startswith("text/plain")
    assert rules.site_maps() == ["http://127.0.0.1:8000/sitemap.xml"]
    for path in (
        "/",
        "/category/kitchen/",
        "/product/market-mug/",
        "/categories/",
        "/static/storefront/styles/base.css",
    ):
        assert rules.can_fetch("*", path)
    for path in (
        "/cart/",
        "/checkout/",
        "/account/",
        "/orders/ABC/",
        "/admin/",
        "/search/?q=x",
        "/api/v1/x",
        "/language/de/?next=/",
        "/visitor/",
    ):
        assert not rules.can_fetch("*", path)
