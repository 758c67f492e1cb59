"""Checks of every page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.template.loader import get_template
from django.test import Client
from django.utils import translation
from shop_orders import guest_links
from storefront import links

from .conftest import Visitor

pytestmark = pytest.mark.django_db(transaction=True)

GUEST_PAGES = [
    "/",
    "/categories/",
    "/category/kitchen/",
    "/category/kitchen/?min_price=10&in_stock=1&rating=3&sort=price",
    "/search/",
    "/search/?q=mug",
    "/search/?q=zzz",
    "/search/suggestions/?q=mug",
    "/product/market-mug/",
    "/product/acacia-shirt/",
    "/product/market-mug/reviews/",
    "/cart/",
    "/checkout/",
    "/checkout/review/",
    "/orders/",
    "/nothing/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
]
CUSTOMER_PAGES = [
    "/account/",
    "/account/orders/",
    "/account/profile/",
    "/account/addresses/",
    "/account/addresses/new/",
    "/account/messages/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/logout/",
    "/product/market-mug/review/",
]


class Markup(HTMLParser):
    """Collects violations of a strict policy, and the parts that a page must have."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.headings = 0
        self.language = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        for name, value in values.items():
            if name == "style" or name.startswith("on") or (value or "").strip().lower().startswith("javascript:"):
                self.faults.append(f"<{tag} {name}>")
            if (
                name in {"src", "href"}
                and tag in {"script", "link", "img"}
                and (value or "").startswith(("http", "//"))
            ):
                self.faults.append(f"<{tag}> from elsewhere: {value}")
        if tag == "style" or (tag == "script" and "src" not in values and values.get("type") != "application/json"):
            self.faults.append(f"inline <{tag}>")
        if values.get("id"):
            self.ids.append(str(values["id"]))
        self.headings += tag == "h1"
        self.language = self.language or str(values.get("lang", "") if tag == "html" else "")


@pytest.fixture
def seen(visitor, mug, shirt) -> Visitor:
    """A guest with something in the cart, ready to order."""
    visitor.add("MUG")
    visitor.enter_details()
    return visitor


def assert_markup_is_sound(text: str) -> None:
    markup = Markup(text)
    assert markup.faults == []
    assert len(markup.ids) == len(set(markup.ids)), sorted(markup.ids)
    if "<html" in text:
        assert markup.headings == 1
        assert markup.language == "en"


@pytest.mark.parametrize("path", GUEST_PAGES)
def test_pages_of_a_guest_have_no_inline_script_or_style(seen, path):
    assert_markup_is_sound(seen.get(path))


@pytest.mark.parametrize("path", CUSTOMER_PAGES)
def test_pages_of_a_customer_have_no_inline_script_or_style(customer, mug, path):
    customer.buy("MUG", save_address="on")
    assert_markup_is_sound(customer.get(path))
    assert customer.path == path


def test_pages_of_an_order_have_no_inline_script_or_style(visitor, mug):
    order = visitor.buy("MUG")
    for name in ("order", "order_thanks", "order_pay"):
        path = links.order_path(order.number, guest_links.token_for(order.number), name=name)
        assert_markup_is_sound(visitor.get(path))


@pytest.mark.parametrize("name", ["400.html", "403.html", "403_csrf.html", "404.html"])
def test_error_pages_can_be_shown(rf, name):
    request = rf.get("/")
    request.user = None
    assert_markup_is_sound(get_template(name).render({"shop_name": "Shop"}, request))


def test_the_page_for_a_crash_asks_nothing_of_the_database(rf, django_assert_num_queries):
    from storefront.views import errors

    with django_assert_num_queries(0):
        response = errors.server_error(rf.get("/"))
    assert response.status_code == 500
    assert_markup_is_sound(response.content.decode())


def test_the_policy_allows_own_scripts_and_styles_only(client, db):
    policy = client.get("/").headers["Content-Security-Policy"]
    sources = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    for kind in ("script-src", "style-src"):
        assert sources.get(kind, sources["default-src"]) == "'self'"


@pytest.mark.parametrize("path", GUEST_PAGES)
def test_pages_work_in_another_language(seen, path):
    seen.client.cookies["django_language"] = "de"
    text = seen.get(path)
    assert seen.page.status_code in {200, 404}
    assert "<html" not in text or '<html lang="de"' in text


def test_the_total_is_agreed_to_in_any_language(visitor, mug):
    visitor.client.cookies["django_language"] = "de"
    assert visitor.buy("MUG", 2).total == 2250
    with translation.override("de"):
        assert "2.250,00" in visitor.text


def test_static_files_of_the_pages_exist(seen):
    from django.contrib.staticfiles import finders

    names = set(re.findall(r'(?:src|href)="/static/([^"#]+)', seen.get("/")))
    assert {"storefront/styles/base.css", "storefront/shop.js", "storefront/icons.svg"} <= names
    assert [name for name in names if not finders.find(name)] == []


def test_every_icon_that_a_page_uses_is_in_the_sprite(seen, shirt):
    from pathlib import Path

    from django.contrib.staticfiles import finders

    sprite = Path(finders.find("storefront/icons.svg")).read_text(encoding="utf-8")
    known = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    for path in GUEST_PAGES:
        assert set(re.findall(r'icons\.svg#([\w-]+)"', seen.get(path))) <= known


def test_a_stranger_is_told_nothing_by_a_post_without_a_token(mug):
    assert Client(enforce_csrf_checks=True).post("/checkout/place/").status_code == 403


def test_pages_respond_to_head(seen):
    assert {seen.client.head(path).status_code for path in ("/", "/category/kitchen/", "/product/market-mug/")} == {
        200
    }
