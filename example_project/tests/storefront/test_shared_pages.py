"""Pages that a shared cache may keep, and the form on them, which has no token."""

from __future__ import annotations

import re

import pytest
from django.contrib.messages import SUCCESS
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpResponse
from django.test import Client
from shop_orders.models import CartItem

pytestmark = pytest.mark.django_db

PAGES = [
    "/",
    "/categories/",
    "/category/kitchen/",
    "/category/kitchen/?sort=price",
    "/category/kitchen/?sort=-price",
    "/category/kitchen/?sort=rating",
    "/category/kitchen/?in_stock=1",
    "/category/kitchen/?min_price=10&max_price=5000",
    "/category/kitchen/?attr=colour:red",
    "/category/kitchen/?after=nonsense",
    "/search/",
    "/search/?q=mug",
    "/search/?q=zzz",
    "/search/?q=mug&in_stock=1",
    "/search/?sort=name",
    "/search/suggestions/?q=mug",
    "/product/market-mug/",
    "/product/acacia-shirt/",
    "/product/acacia-shirt/?sku=SHIRT-L",
    "/product/market-mug/reviews/",
]
HERE = {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}
ELSEWHERE = {
    "no header": {},
    "another site": {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    "another site that claims our origin": {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
    "another subdomain": {"Sec-Fetch-Site": "same-site", "Origin": "http://shop.testserver"},
    "an address typed by hand": {"Sec-Fetch-Site": "none"},
    "an unknown value": {"Sec-Fetch-Site": "same-origin, cross-site"},
    "an empty value": {"Sec-Fetch-Site": "", "Origin": "http://testserver"},
    "a sandboxed frame": {"Origin": "null"},
    "a foreign origin": {"Origin": "https://evil.example"},
    "another port": {"Origin": "http://testserver:8000"},
    "a longer name": {"Origin": "http://testserver.evil.example"},
    "a name that ends alike": {"Origin": "http://eviltestserver"},
    "a user name": {"Origin": "http://testserver@evil.example"},
    "a path": {"Origin": "http://testserver/"},
    "another scheme": {"Origin": "https://testserver"},
    "two origins": {"Origin": "http://testserver http://evil.example"},
    "only a referrer": {"Referer": "http://testserver/product/market-mug/"},
}


@pytest.mark.parametrize("path", PAGES)
def test_anonymous_visitors_share_a_page(path, mug, shirt):
    first, second = Client(), Client()
    second.cookies["_ga"] = "of-no-importance"
    responses = [first.get(path), second.get(path)]
    assert responses[0].content == responses[1].content
    for response in responses:
        assert response.status_code == 200
        assert not response.cookies
        assert "cookie" not in response["Vary"].lower()
        assert re.fullmatch(r"public, max-age=0, s-maxage=(\d+)", response["Cache-Control"])[1] == "60"


def test_head_has_the_headers_of_the_shared_page(mug, client):
    """Another Content-Length would make caches drop the page that they keep (RFC 9111, 4.3.5)."""
    path = "/product/market-mug/"
    assert client.head(path)["Content-Length"] == client.get(path)["Content-Length"]


@pytest.mark.parametrize("name", ["sessionid", "shop_cart", "messages", "django_language"])
def test_a_page_of_a_known_visitor_is_theirs_alone(name, mug, shirt):
    client = Client()
    client.cookies[name] = "x"
    for path in PAGES:
        response = client.get(path)
        assert "private" in response["Cache-Control"] or "no-store" in response["Cache-Control"]
        assert "public" not in response["Cache-Control"]
        assert "Cookie" in response["Vary"]


def test_a_page_that_sets_a_cookie_is_never_shared(mug, monkeypatch):
    from storefront.views import catalogue

    def with_cookie(request, template, context=None):
        response = original(request, template, context)
        response.set_cookie("visit", "1")
        return response

    original = catalogue.render
    monkeypatch.setattr(catalogue, "render", with_cookie)
    assert Client().get("/")["Cache-Control"] == "no-store"


def test_an_error_page_with_a_message_is_never_shared(rf):
    browser = Client()
    stored = HttpResponse()
    request = rf.get("/")
    storage = CookieStorage(request)
    storage.add(SUCCESS, "Only for you")
    storage.update(stored)
    browser.cookies = stored.cookies
    response = browser.get("/product/nothing/")
    assert "Only for you" in response.content.decode()
    assert response["Cache-Control"] == "no-store"


def test_errors_and_redirects_are_not_kept(mug, shirt):
    assert "Cache-Control" not in Client().get("/product/nothing/")
    assert "Cache-Control" not in Client().get("/product/acacia-shirt-s/")


@pytest.mark.parametrize("headers", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_post_from_elsewhere_puts_nothing_into_a_cart(headers, mug, visitor):
    visitor.add("MUG")
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = visitor.client.cookies
    for sent in ({}, {"csrfmiddlewaretoken": "x" * 64}, {"csrfmiddlewaretoken": ""}):
        response = browser.post("/cart/add/", {"product": "MUG", "quantity": 3, **sent}, headers=headers)
        assert "Add this to your cart?" in response.content.decode()
        assert response["Cache-Control"] == "no-store"
    assert [item.quantity for item in CartItem.objects.all()] == [1]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (ELSEWHERE["a foreign origin"], "Origin checking failed"),
        ({"Sec-Fetch-Site": "cross-site", "Referer": "https://testserver/"}, "CSRF cookie not set."),
        ({"Referer": "https://mail.example/?to=ann@example.org"}, "Referer checking failed"),
    ],
)
def test_a_post_from_elsewhere_is_logged_once_without_addresses(headers, reason, mug, caplog):
    Client(enforce_csrf_checks=True).post(
        "/cart/add/?of=ann@example.org", {"product": "MUG"}, headers=headers, secure=True
    )
    message = f"A form was not accepted without a confirmation ({reason}): /cart/add/"
    warnings = [record for record in caplog.records if record.levelname != "INFO"]
    assert [(record.name, record.levelname, record.getMessage()) for record in warnings] == [
        ("django.security.csrf", "WARNING", message)
    ]
    assert "ann@" not in caplog.text


def test_a_post_from_here_is_not_logged(mug, caplog):
    Client(enforce_csrf_checks=True).post("/cart/add/", {"product": "MUG"}, headers=HERE)
    assert not [record for record in caplog.records if record.name == "django.security.csrf"]


def test_a_post_from_elsewhere_does_not_replace_the_token_of_open_pages(mug):
    """Browsers send no cookie with it. A new one would make the forms of the visitor's other tabs fail."""
    browser = Client(enforce_csrf_checks=True)
    response = browser.post("/cart/add/", {"product": "MUG"}, headers=ELSEWHERE["another site"])
    assert not response.cookies
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', response.content.decode().split("<form")[-1]))
    assert browser.post("/cart/add/", fields, headers=HERE)["Location"] == "/cart/"


@pytest.mark.parametrize("headers", [HERE, {"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}])
def test_a_post_from_here_needs_no_cookie_and_no_token(headers, mug):
    response = Client(enforce_csrf_checks=True).post("/cart/add/", {"product": "MUG"}, headers=headers)
    assert response["Location"] == "/cart/"
    assert [item.quantity for item in CartItem.objects.all()] == [1]


def test_origins_are_compared_with_their_scheme(mug):
    browser = Client(enforce_csrf_checks=True)
    for origin, count in (("http://testserver", 0), ("https://testserver", 1)):
        browser.post("/cart/add/", {"product": "MUG"}, headers={"Origin": origin}, secure=True)
        assert CartItem.objects.count() == count


def test_the_page_that_asks_works(mug):
    browser = Client(enforce_csrf_checks=True)
    asked = browser.post("/cart/add/", {"product": 'MUG"><b>', "quantity": 2}).content.decode()
    assert "<b>" not in asked
    asked = browser.post("/cart/add/", {"product": "MUG", "quantity": 2}).content.decode()
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', asked.split("<form")[-1]))
    assert browser.post("/cart/add/", fields)["Location"] == "/cart/"
    assert [item.quantity for item in CartItem.objects.all()] == [2]


def test_the_other_forms_of_the_cart_still_need_their_token(mug, visitor):
    visitor.add("MUG")
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = visitor.client.cookies
    for path in ("/cart/change/", "/cart/clear/"):
        assert browser.post(path, {"product": "MUG", "quantity": 0}, headers=HERE).status_code == 403
    assert CartItem.objects.count() == 1


def test_refused_posts_do_not_use_up_the_visitor_s_limit(mug, settings):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "THROTTLES": {"cart": "1/h"}}
    browser = Client(enforce_csrf_checks=True)
    for _turn in range(3):
        browser.post("/cart/add/", {"product": "MUG"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert browser.post("/cart/add/", {"product": "MUG"}, headers=HERE)["Location"] == "/cart/"


def test_scripts_ask_for_what_a_shared_page_does_not_know(mug, visitor, customer):
    assert 'data-shared="/visitor/"' in visitor.get("/")
    visitor.add("MUG", 2)
    assert "csrftoken" in visitor.client.cookies  # by which shop.js knows that it has to ask
    for known, link in ((visitor, "Log in"), (customer, "Account")):
        known.add("MUG", 2)
        response = known.client.get("/visitor/")
        text = response.content.decode()
        assert link in text
        assert 'class="count"' in text
        assert "data-shared" not in text
        assert response["Cache-Control"] == "no-store"
        assert "data-shared" not in known.get("/")


def test_a_guest_without_a_cart_costs_no_statement(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get("/visitor/")


def test_the_language_is_chosen_by_a_link(client, mug):
    page = client.get("/product/market-mug/?sku=MUG").content.decode()
    [link] = re.findall(r'href="(/language/de/[^"]*)"', page)
    response = client.get(link)
    assert response["Location"] == "/product/market-mug/?sku=MUG"
    assert "no-store" in response["Cache-Control"]
    page = client.get("/")
    assert '<html lang="de">' in page.content.decode()
    assert "private" in page["Cache-Control"]


def test_the_language_cookie_has_the_attributes_of_the_settings(client, db, settings):
    settings.LANGUAGE_COOKIE_PATH = "/shop/"
    settings.LANGUAGE_COOKIE_DOMAIN = ".shop.example"
    settings.LANGUAGE_COOKIE_SECURE = settings.LANGUAGE_COOKIE_HTTPONLY = True
    settings.LANGUAGE_COOKIE_SAMESITE = "Strict"
    cookie = client.get("/language/de/").cookies[settings.LANGUAGE_COOKIE_NAME]
    assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/shop/", ".shop.example", "Strict")
    assert cookie["secure"]
    assert cookie["httponly"]


@pytest.mark.parametrize("url", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", ""])
def test_the_language_link_leads_nowhere_else(client, db, url):
    assert client.get("/language/de/", {"next": url})["Location"] == "/"
    assert client.get("/language/xx/").status_code == 404
