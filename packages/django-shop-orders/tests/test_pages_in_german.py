"""A German guest and a German customer see no English word on any page of the package."""

import re
from decimal import Decimal
from gettext import GNUTranslations
from html.parser import HTMLParser
from pathlib import Path

import django
import pytest
from django.conf import settings as project
from django.core.cache import cache
from django.template.loader import render_to_string
from django.test import Client
from django.utils import translation
from django.utils.translation import trans_real
from shop_orders import customers, guest_links, lifecycle, payments
from shop_orders.contrib import pages as package
from shop_orders.contrib.pages.signals import order_link_asked
from shop_orders.models import Address, IncomingPayment, Order
from testproject.books.models import Book
from testproject.shopper import GUEST, TEST, Shopper

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(project.AUTH_USER_MODEL != "auth.User", reason="the pages do not depend on the user model"),
]

GERMAN = re.compile("⟦[^⟦⟧]*⟧")
"""A text that the catalogue has, as ``marked`` writes it. One may hold others."""
SHOWN = ("alt", "aria-label", "placeholder", "title")
MESSAGES = "conf/locale/de/LC_MESSAGES/django.mo"
DATA = (
    r"978-\d, |978-\d|Trees of Kenya|Birds of Kenya|Guest|guest@\S+|Test Bank, 1|Riverside Drive 12|Nairobi|KSh|Boda"
    r"|B-1|KES|\b[A-Z0-9]{5}-[A-Z0-9]{5}\b|gold|Too many|customer@example.org|test-customer|Sorry|No stamp|Engraving"
    r"|Home|Acacia Court|Test|line one|Order for at least 100\.|https?:\S+|item-\S+|nothing"
)
"""What the site, the product or the customer has written."""


class Texts(HTMLParser):
    """The texts of a page that a reader sees or hears."""

    def __init__(self, html):
        super().__init__()
        self.found, self.skipped = [], 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.skipped += tag in {"style", "script", "option"}
        self.found += [value for name, value in attrs if name in SHOWN and value]

    def handle_endtag(self, tag):
        self.skipped -= tag in {"style", "script", "option"}

    def handle_data(self, data):
        if not self.skipped:
            self.found.append(data)


def english(text):
    """The words outside of marked texts, apart from those of the data."""
    joined = "|".join(Texts(text).found)
    joined = re.sub(DATA, "", joined)
    while GERMAN.search(joined):
        joined = GERMAN.sub("", joined)
    return re.findall(r"[^|]*[A-Za-z]{2,}[^|]*", joined)


@pytest.fixture
def marked(monkeypatch, settings):
    """The site is German, and the texts that are translated are written between ⟦ and ⟧."""
    settings.LANGUAGE_CODE = "de"
    trans_real._default = None
    known = trans_real.translation("de")._catalog

    def mark(name, is_known):
        original = getattr(trans_real, name)
        monkeypatch.setattr(
            translation._trans,
            name,
            lambda *words: f"⟦{original(*words)}⟧" if is_known(*words) else original(*words),
            raising=False,
        )

    mark("gettext", lambda text: text.replace("\r\n", "\n") in known)
    mark("pgettext", lambda context, text: f"{context}\x04{text}" in known)
    mark("ngettext", lambda one, many, number: (one, 0) in known or (one, 1) in known)
    mark("npgettext", lambda context, one, many, number: (f"{context}\x04{one}", 0) in known)
    with translation.override("de"):
        yield
    trans_real._default = None


@pytest.fixture
def shopper(marked, shop_settings, book, other_book, transactional_db):
    bank = {"BACKEND": "shop_orders.payment_providers.BankTransfer", "OPTIONS": {"account": "Test Bank, 1"}}
    delivery = {"BACKEND": "shop_orders.payment_providers.PayOnDelivery"}
    shop_settings(PAYMENT_PROVIDERS={"test": TEST, "bank": bank, "on_delivery": delivery}, MAX_QUANTITY=100)
    order_link_asked.connect(print, dispatch_uid="a receiver")
    yield Shopper()
    order_link_asked.disconnect(dispatch_uid="a receiver")
    cache.clear()  # it holds rate limits


def read(shopper):
    """Every page that was shown has no English word."""
    own = [page for page in shopper.pages if page.request["PATH_INFO"].startswith(("/store/", "/pay/"))]
    assert {page.status_code for page in own} <= {200, 404, 429}
    assert {(page.request["PATH_INFO"], words) for page in own for words in english(page.content.decode())} == set()
    return len(own)


def test_words_that_are_not_translated_are_found():
    assert english('<p title="a word">⟦Bestellung ⟦offen⟧⟧</p><p>Trees of Kenya is here</p>') == ["a word", " is here"]


def test_guest_buys_in_german(shopper):
    shopper.get("/store/cart/")
    for quantity in ("many", "0", "101"):
        shopper.add(quantity)
    shopper.add(1, product="nothing")
    shopper.add(2, **{"option.Engraving": "line one"})
    shopper.add(2)
    Book.objects.filter(isbn="978-1").update(sale_price=Decimal(20), on_hand=1)
    shopper.get("/store/cart/")
    shopper.post("/store/cart/change/", product="978-1", quantity="1")
    Book.objects.filter(isbn="978-1").update(sale_price=Decimal(2))
    shopper.get("/store/cart/")
    Book.objects.filter(isbn="978-1").update(on_hand=0)
    shopper.get("/store/cart/")
    shopper.post("/store/cart/change/", product="978-1", quantity="5")
    Book.objects.filter(isbn="978-1").update(is_listed=False)
    shopper.get("/store/cart/")
    shopper.post("/store/cart/change/", product="978-1", remove="1", name="Trees of Kenya")
    shopper.add(1, product="978-2")
    shopper.post("/store/cart/clear/")
    shopper.add(1, product="978-2")
    shopper.get("/store/checkout/")
    wrong = {"email": "x", "phone": "12", "payment": "gold", "name": "x" * 300}
    for values in ({}, wrong, {"email": "ſ@example.org"}, {"email": f"{'x' * 300}@example.org"}):
        shopper.post("/store/checkout/", **values)
    shopper.enter(note="Sorry")
    stale = shopper.hidden()
    shopper.enter(note="")
    shopper.post("/store/checkout/place/", **stale)
    Book.objects.update(sale_price=9)
    shopper.post("/store/checkout/place/", **stale)
    shopper.post("/store/checkout/place/", **shopper.hidden())
    Book.objects.filter(isbn="978-2").update(on_hand=1)
    shopper.post("/store/checkout/place/", cart="nothing")
    assert read(shopper) > 20


def test_guest_pays_in_german(shopper):
    shopper.place()
    paying = shopper.path
    order = Order.objects.get()
    token = guest_links.token_for(order.number)
    shopper.post(paying, payment="gold", token=token)
    for choice in ("refuse", "authorise"):
        shopper.get(f"{paying}?token={token}")
        shopper.post(paying, payment="test", **shopper.hidden())
        shopper.get(shopper.path)
        shopper.post(shopper.path, choice=choice)
    payments.capture(order.payments.last().pk)
    page = f"/store/orders/{order.number}/?token={token}"
    for step in (lifecycle.start_processing, lambda pk: lifecycle.ship(pk, carrier="Boda", tracking_number="B-1")):
        step(order.pk)
        shopper.get(page)
    lifecycle.deliver(order.pk)
    payments.refund(order.pk, amount=Decimal(5), reason="Sorry")
    lifecycle.add_note(order.pk, text="No stamp", is_public=True)
    shopper.get(page)
    shopper.get("/store/orders/")
    shopper.post(f"/store/orders/{order.number}/cancel/", token=token, form_token="1:2", reason="Too many")
    assert read(shopper) > 10


def test_guest_sends_money_and_cancels_in_german(shopper, shop_settings, settings):
    shopper.place(payment="bank")
    order = Order.objects.get()
    sent = {"provider": "till", "receipt": "R1", "amount": 10, "currency": "KES", "is_confirmed": True}
    held = IncomingPayment.objects.create(order=order, **sent)
    page = f"/store/orders/{order.number}/?token={guest_links.token_for(order.number)}"
    shopper.get(page)
    held.delete()
    payments.record_payment(order.pk, amount=Decimal(10))
    shopper.get(page)
    cancel = {**shopper.hidden(), "reason": "Too many"}
    for _press in range(2):
        shopper.post(f"/store/orders/{order.number}/cancel/", **cancel)
        shopper.get("/store/orders/")
    shopper.get(page)
    shopper.place(payment="on_delivery")
    shopper.place(payment="test")
    late = Order.objects.latest("pk")
    lifecycle.cancel(late.pk, reason="")
    shopper.get(f"/store/orders/{late.number}/?token={guest_links.token_for(late.number)}")
    assert read(shopper) > 10


def test_guest_is_refused_in_german(shopper, shop_settings):
    shopper.get("/store/orders/ABCDE-FGHIJ/")
    shopper.get("/store/orders/")
    shopper.post("/store/orders/", number="", email="x")
    shopper.post("/store/orders/", number="ABCDE-FGHIJ", email="guest@example.org")
    shopper.review(payment="on_delivery")
    for values in (
        {"MAX_UNPAID_ORDERS": 0},
        {"MAX_UNPAID_UNITS": 0},
        {"MAX_QUANTITY": 0},
        {"PRICING": ["testproject.faulty_hooks.returns_none"]},
        {"VALIDATORS": ["testproject.faulty_hooks.divides_by_the_total"]},
        {"VALIDATORS": ["testproject.faulty_hooks.raises_value_error"]},
        {"PAYMENT_PROVIDERS": {}},
        {"GUEST_CHECKOUT": False},
    ):
        before = project.SHOP_ORDERS
        shop_settings(**values)
        for path in ("/store/cart/", "/store/checkout/", "/store/checkout/review/"):
            shopper.get(path)
        shopper.get("/store/orders/")
        shopper.post("/store/checkout/", **GUEST)
        sent = shopper.hidden()
        shopper.get("/store/orders/")
        shopper.post("/store/checkout/place/", **sent)
        project.SHOP_ORDERS = before
    shop_settings(THROTTLES={"cart": "1/h"}, TRUSTED_PROXIES=0)
    shopper.add()
    shopper.add()
    assert shopper.response.status_code == 429
    order_link_asked.disconnect(dispatch_uid="a receiver")
    shopper.get("/store/orders/")
    assert read(shopper) > 10


def test_customer_sees_orders_in_german(shopper, user):
    customer = customers.for_user(user)
    Address.objects.create(customer=customer, line1="Acacia Court", city="Nairobi", country="KE", label="Home")
    shopper.client = Client()
    shopper.add()
    shopper.client.post("/shop/login/", {"username": "test-customer"})
    shopper.get("/store/cart/")
    for _order in range(2):
        shopper.place(payment="on_delivery", address="")
    lifecycle.cancel(Order.objects.latest("pk").pk)
    shopper.get("/store/orders/")
    assert read(shopper) > 5


def test_mail_with_the_link_is_german(marked):
    order = {"number": "ABCDE-FGHIJ", "url": "https://shop.example.org/"}
    for name in ("email_subject.txt", "email.txt"):
        for recipient in ({"name": "Guest"}, {}):
            text = render_to_string(f"shop_notify/order_link/{name}", {"order": order, "recipient": recipient})
            assert ("⟦" in text, english(re.sub(DATA, "", text))) == (True, [])


def test_texts_of_the_pages_change_none_of_django():
    """A catalogue of an app wins over Django's, on all pages of the site."""
    folder = Path(django.__file__).parent
    files = [folder / MESSAGES, *folder.glob(f"contrib/*/{MESSAGES.removeprefix('conf/')}")]
    ours = texts_of(Path(package.__file__).parent / MESSAGES.removeprefix("conf/"))
    assert len(files) > 5
    for file in files:
        theirs = texts_of(file)
        assert {text for text in theirs.keys() & ours.keys() if text and theirs[text] != ours[text]} == set()


def texts_of(file):
    with file.open("rb") as catalogue:
        return GNUTranslations(catalogue)._catalog
