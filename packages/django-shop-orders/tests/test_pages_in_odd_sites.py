"""A guest buys through the pages in sites with unusual settings."""

from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings as project
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import clear_url_caches, include, path
from shop_orders import carts, lifecycle
from shop_orders.contrib import pages as package
from shop_orders.contrib.pages import lost_links
from shop_orders.contrib.pages.checks import check_site
from shop_orders.exceptions import InvalidInput
from shop_orders.models import Cart, Order
from testproject import prefixed
from testproject.books.models import Book
from testproject.shopper import GUEST, TEST, Shopper

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(project.AUTH_USER_MODEL != "auth.User", reason="the pages do not depend on the user model"),
]

BEFORE, *AFTER = project.MIDDLEWARE
LANGUAGES = [BEFORE, "django.middleware.locale.LocaleMiddleware", *AFTER]
PAGES = Path(package.__file__).parent / "templates"
LOADERS = [("django.template.loaders.filesystem.Loader", [PAGES])]
SITES = {
    "everything in cookies": {
        "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
        "MESSAGE_STORAGE": "django.contrib.messages.storage.cookie.CookieStorage",
        "APPEND_SLASH": False,
        "USE_TZ": False,
    },
    "everything in sessions": {
        "MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage",
        "CSRF_USE_SESSIONS": True,
        "USE_I18N": False,
    },
    "no tokens": {"MIDDLEWARE": [name for name in project.MIDDLEWARE if "Csrf" not in name]},
    "languages in paths": {
        "MIDDLEWARE": LANGUAGES,
        "ROOT_URLCONF": "testproject.prefixed",
        "USE_THOUSAND_SEPARATOR": True,
    },
    "below a path": {"FORCE_SCRIPT_NAME": "/books"},
}


class ClientBelowAPath(Client):
    """A client of a server that puts the site below a path."""

    def generic(self, method, path, *args, **kwargs):
        return super().generic(method, path.removeprefix("/books"), *args, **kwargs)


@pytest.fixture
def shopper(shop_settings, book, monkeypatch):
    shop_settings(PAYMENT_PROVIDERS={"test": TEST})
    monkeypatch.setattr(lost_links, "are_sent", lambda: True)  # the page that finds orders has a form
    return Shopper()


@pytest.mark.parametrize("site", SITES)
def test_guest_buys_pays_and_cancels(site, settings, shopper):
    for name, value in SITES[site].items():
        setattr(settings, name, value)
    if site == "below a path":
        shopper.client = ClientBelowAPath(enforce_csrf_checks=True)
    at = "/en/store" if site == "languages in paths" else "/store"
    shopper.add(2, at=at)
    shopper.get(f"{at}/checkout/")
    shopper.post(f"{at}/checkout/", **GUEST)
    shopper.post(f"{at}/checkout/place/", **shopper.hidden())
    order = Order.objects.get()
    shopper.pay("pay")
    assert "/thanks/" in shopper.path
    shopper.post(f"{at}/orders/{order.number}/cancel/", **shopper.hidden(), reason="Too many")
    order.refresh_from_db()
    assert (order.payment_status, order.status, shopper.response.status_code) == ("paid", "cancelled", 200)


class UnreachableCache(LocMemCache):
    """A cache whose server cannot be reached."""

    def add(self, *args, **kwargs):
        raise ConnectionError("The cache is away.")

    get = set = incr = add


def test_provider_is_asked_and_links_are_sent_without_the_cache(shopper, monkeypatch, shop_settings):
    shopper.place()
    away = UnreachableCache("away", {})
    monkeypatch.setattr("shop_orders.contrib.pages.views.orders.cache", away)
    monkeypatch.setattr("shop_core.limits.cache", away)
    assert "Your payment arrived" in shopper.pay("lose")
    shopper.get("/store/orders/")
    shopper.post("/store/orders/", number=Order.objects.get().number, email=GUEST["email"])
    assert "Check your e-mail." in shopper.text


@pytest.mark.parametrize("page", ["review", "place"])
def test_message_says_that_the_session_has_ended(shopper, page):
    sent = shopper.review()
    del shopper.client.cookies["sessionid"]
    if page == "place":
        text = shopper.post("/store/checkout/place/", **sent)
    else:
        text = shopper.get("/store/checkout/review/")
    assert (shopper.path, "Your details are no longer stored." in text) == ("/store/checkout/", True)
    assert not Order.objects.exists()


def test_log_in_in_another_tab_changes_the_cart(shopper, user):
    shopper.client = Client()
    sent = shopper.review()
    shopper.client.post("/shop/login/", {"username": "test-customer"})
    text = shopper.post("/store/checkout/place/", **sent)
    assert (shopper.path, "Your cart has changed since that page was opened." in text) == ("/store/cart/", True)
    assert "Trees of Kenya" in text


@pytest.mark.parametrize("name", ["\u200b", "\u202e\u202c", "\u200d"])
def test_invisible_name_counts_as_missing(shopper, name):
    shopper.add()
    assert "This field is required." in shopper.enter(name=name, city=name)


def test_invisible_characters_are_removed(shopper):
    shopper.place(name="\u202aAnna\u202c \u0645\u06cc\u200c\u062e", line1="12\u200b High Street", note="\u202eTop")
    order = Order.objects.get()
    seen = (order.contact_name, order.shipping_address["line1"], order.customer_note)
    assert seen == ("Anna \u0645\u06cc\u200c\u062e", "12 High Street", "Top")


def test_hostile_texts_are_shown_as_text(shopper, book):
    text = '"><img src=x onerror=alert(1)>'
    book.title = text
    book.save()
    shopper.add(product=text)
    shopper.place(name=text, line1=text, city=text, note=text)
    shopper.pay("pay")
    order = Order.objects.get()
    lifecycle.start_processing(order.pk)
    with pytest.raises(InvalidInput, match="not a web address"):
        lifecycle.ship(order.pk, tracking_url="javascript:alert(1)")
    lifecycle.ship(order.pk, carrier=text, tracking_number=text, tracking_url=f"https://example.org/{text}")
    shopper.get(f"/store/orders/{order.number}/?{shopper.response.request['QUERY_STRING']}")
    pages = [page.content.decode() for page in shopper.pages]
    assert [page for page in pages if "<img src=x" in page] == []
    assert sum("&lt;img src=x" in page for page in pages) > 5


def test_large_cart_takes_no_more_queries_than_a_small_one(shopper):
    Book.objects.bulk_create(
        Book(isbn=f"B-{number}", title="Poems", sale_price=Decimal(1), on_hand=5) for number in range(99)
    )
    counts = {}
    shopper.review()
    for size in (1, 100):
        for page in ("cart", "checkout", "checkout/review"):
            with CaptureQueriesContext(connection) as seen:
                shopper.get(f"/store/{page}/")
            assert shopper.response.status_code == 200
            counts[page, size] = len(seen)
        for row in Book.objects.filter(title="Poems") if size == 1 else ():
            carts.add_item(Cart.objects.get(), row.isbn, 1)
    assert [counts[page, 100] - counts[page, 1] for page, _size in counts] == [0] * 6
    shopper.post("/store/checkout/place/", **shopper.hidden())
    assert Order.objects.get().lines.count() == 100


def test_check_asks_the_engine_that_renders_the_pages(settings, tmp_path):
    """Such as Jinja's before Django's, which has a base.html too."""
    (tmp_path / "base.html").write_text("{% block title %}{% endblock %}{% block content %}{% endblock %}")
    [engine] = settings.TEMPLATES
    site = {**engine, "NAME": "site", "APP_DIRS": False, "DIRS": [tmp_path]}
    bare = {**engine, "OPTIONS": {"context_processors": [], "loaders": LOADERS}, "APP_DIRS": False}
    settings.TEMPLATES = [site, bare]
    assert [message.id for message in check_site(None)] == ["shop_orders_pages.W002", "shop_orders_pages.E002"]
    for templates in ([], [site]):
        settings.TEMPLATES = templates
        assert [message.id for message in check_site(None)] == ["shop_orders_pages.E003"]


@pytest.mark.parametrize("urls", ["below_a_namespace", "below_a_parameter"])
def test_check_warns_if_the_pages_cannot_link_to_each_other(settings, urls):
    assert not [message for message in check_site(None) if message.id == "shop_orders_pages.W004"]
    settings.ROOT_URLCONF = tuple(getattr(prefixed, urls))
    clear_url_caches()
    assert [message.id for message in check_site(None)] == ["shop_orders_pages.W004"]


def test_check_says_that_the_site_does_not_include_the_pages(settings):
    """Every other part of a first set-up may be right then, and each page of the shop is a 404."""
    settings.ROOT_URLCONF = (path("", lambda request: None),)
    clear_url_caches()
    [message] = check_site(None)
    assert message.id == "shop_orders_pages.I001"
    assert 'include("shop_orders.contrib.pages.urls")' in message.hint
    settings.ROOT_URLCONF = (path("a/", include("shop_orders.contrib.pages.urls", namespace="another")),)
    clear_url_caches()
    assert check_site(None) == []  # the pages find each other in it
