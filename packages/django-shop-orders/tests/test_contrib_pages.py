"""A guest buys through the package's pages on a plain site; what goes wrong on the way is said."""

import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import shop_orders as orders
from django import forms
from django.conf import settings as project
from django.core.cache import cache
from django.test import Client
from django.test.html import parse_html
from django.urls import clear_script_prefix, get_resolver, set_script_prefix
from django.utils import translation
from shop_orders import form_tokens, guest_links, lifecycle, payments
from shop_orders.contrib import pages as package
from shop_orders.contrib.pages import countries, texts
from shop_orders.contrib.pages.checks import check_site
from shop_orders.contrib.pages.forms import CheckoutForm, FindOrderForm, LongSelect
from shop_orders.contrib.pages.signals import order_link_asked
from shop_orders.exceptions import ProviderUnavailable
from shop_orders.models import IncomingPayment, Order
from shop_orders.payment_providers import HostedTestProvider
from testproject.books.models import Book
from testproject.shopper import TEST, Shopper

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(project.AUTH_USER_MODEL != "auth.User", reason="the pages do not depend on the user model"),
]


@pytest.fixture(autouse=True)
def shop(shop_settings, book, transactional_db):
    """A link is sent on request, so that the page to find an order has its form."""
    shop_settings(PAYMENT_PROVIDERS={"test": TEST})
    cache.clear()  # it holds rate limits
    asked = []

    def receive(sender, payload, event_id, **kwargs):
        asked.append(payload)

    order_link_asked.connect(receive)
    yield asked
    order_link_asked.disconnect(receive)


@pytest.fixture
def shopper():
    return Shopper()


def test_a_guest_buys_pays_and_cancels(shopper, book):
    shopper.add(2)
    assert (shopper.path, "KSh 25.00" in shopper.text) == ("/store/cart/", True)
    shopper.post("/store/cart/change/", product="978-1", quantity="3")
    shopper.enter()
    assert shopper.path == "/store/checkout/review/"
    assert "KSh 37.50" in shopper.text
    shopper.post("/store/checkout/place/", **shopper.hidden())
    order = Order.objects.get()
    assert shopper.path == f"/store/orders/{order.number}/pay/"
    text = shopper.pay("pay")
    assert shopper.path == f"/store/orders/{order.number}/thanks/"
    assert "Thank you for your order" in text
    assert "Your payment arrived" in text
    order.refresh_from_db()
    assert (order.payment_status, order.total, order.phone) == ("paid", Decimal("37.5000"), "+254712345678")
    assert order.shipping_address["line1"] == "Riverside Drive 12"
    text = shopper.post(f"/store/orders/{order.number}/cancel/", **shopper.hidden(), reason="Too many")
    assert "Your order is cancelled." in text
    assert "Too many" in text
    book.refresh_from_db()
    assert book.on_hand == 10
    own = [page for page in shopper.pages if page.request["PATH_INFO"].startswith("/store/")]
    assert len(own) > 6
    assert all("no-store" in page["Cache-Control"] and page.status_code == 200 for page in own)
    about = [page for page in own if "/orders/" in page.request["PATH_INFO"] and order.number in page.content.decode()]
    assert {(page["Referrer-Policy"], page["X-Robots-Tag"]) for page in about} == {("same-origin", "noindex")}


def test_pages_have_one_heading_labels_and_no_script(shopper):
    shopper.add()
    shopper.get("/store/checkout/")
    shopper.post("/store/checkout/", email="nonsense", payment="gold")
    assert 'id="errors" tabindex="-1" autofocus' in shopper.text
    targets = re.findall(r'<li><a href="#([^"]+)"', shopper.text)
    assert {"id_email", "id_name", "id_line1", "id_payment"} <= set(targets)
    assert [target for target in targets if f'id="{target}"' not in shopper.text] == []
    shopper.enter()
    shopper.post("/store/checkout/place/", **shopper.hidden())
    shopper.pay("pay")
    for page in shopper.pages:
        text = page.content.decode()
        if page.request["PATH_INFO"].startswith("/store/"):
            fields = re.findall(r'<(?:input type="(?:text|email|tel|number)"|select|textarea)[^>]* id="([^"]+)"', text)
            assert [field for field in fields if f'for="{field}"' not in text] == []
            assert (text.count("<h1"), "<script" in text, "hx-" in text) == (1, False, False)
            assert "·" not in re.search("<title>(.*?)</title>", text, re.DOTALL)[1]
    assert "Bookmark this page" in shopper.text


def test_refused_payment_is_tried_again(shopper):
    shopper.place()
    assert "The payment did not go through." in shopper.pay("refuse")
    link = re.search(r'href="([^"]+/pay/[^"]*)"', shopper.text)[1]
    assert "choose another way" in shopper.get(link)
    shopper.pay("pay")
    assert Order.objects.get().payment_status == "paid"


@pytest.mark.parametrize("fault", ["raises", "removed"])
def test_broken_provider_is_said_and_the_order_stays(shopper, shop_settings, monkeypatch, fault):
    sent = shopper.review()
    shopper.post("/store/checkout/place/", **sent)
    if fault == "removed":
        shop_settings(PAYMENT_PROVIDERS={})
        assert shopper.post("/store/checkout/place/", **sent)
        assert (shopper.response.status_code, "is placed" in shopper.text) == (200, True)
        return

    def fail(self, request):
        raise ProviderUnavailable

    monkeypatch.setattr(HostedTestProvider, "start", fail)
    text = shopper.post(shopper.path, payment="test", **shopper.hidden())
    assert 'role="alert"' in text
    assert shopper.response.status_code == 200
    order = Order.objects.get()
    assert (order.status, order.amount_due) == ("pending", order.total)


def test_changed_price_is_shown_before_anything_is_ordered(shopper):
    sent = shopper.review()
    Book.objects.update(sale_price=Decimal("13.00"))
    text = shopper.post("/store/checkout/place/", **sent)
    assert shopper.path == "/store/checkout/review/"
    assert "the total is now KSh 13.00" in text
    assert not Order.objects.exists()
    shopper.post("/store/checkout/place/", **shopper.hidden())
    assert Order.objects.get().total == 13


def test_sold_out_meanwhile_is_said_in_the_cart(shopper):
    sent = shopper.review(2)
    Book.objects.update(on_hand=1)
    text = shopper.post("/store/checkout/place/", **sent)
    assert (shopper.path, "Only 1 of Trees of Kenya is left." in text) == ("/store/cart/", True)
    assert not Order.objects.exists()


def test_double_press_and_back_button_give_one_order(shopper):
    sent = shopper.review()
    shopper.post("/store/checkout/place/", **sent)
    first = shopper.path
    shopper.get("/store/orders/")  # a page with a form, as the browser has after going back
    shopper.post("/store/checkout/place/", **sent)
    assert shopper.path == first
    shopper.add(3)
    shopper.post("/store/checkout/place/", **sent)
    assert shopper.path == "/store/cart/"  # with the new cart as it was left
    assert 'name="quantity" value="3"' in shopper.text
    assert Order.objects.count() == 1


def test_closed_cart_of_somebody_else_orders_nothing(shopper):
    sent = shopper.review()
    stranger = Shopper()
    stranger.add()
    stranger.post("/store/checkout/place/", **sent)
    assert stranger.path == "/store/cart/"
    assert 'class="note error" role="alert"' in stranger.text
    assert not Order.objects.exists()


def test_details_of_another_tab_are_shown_first(shopper):
    sent = shopper.review()
    shopper.enter(line1="Another Road 9")
    text = shopper.post("/store/checkout/place/", **sent)
    assert "changed in another window" in text
    assert "Another Road 9" in text
    assert not Order.objects.exists()


def test_cart_changed_in_another_tab_is_shown_before_ordering_even_if_the_total_is_equal(shopper, book):
    Book.objects.create(isbn="978-2", title="Plains of Kenya", sale_price=book.sale_price, on_hand=5)
    sent = shopper.review()
    shopper.get("/store/cart/")
    shopper.post("/store/cart/change/", product="978-1", remove="1")
    shopper.add(product="978-2")
    shopper.get("/store/orders/")
    text = shopper.post("/store/checkout/place/", **sent)
    assert shopper.path == "/store/checkout/review/"
    assert ("changed in another window" in text, "Plains of Kenya" in text) == (True, True)
    assert not Order.objects.exists()
    shopper.post("/store/checkout/place/", **shopper.hidden())
    assert Order.objects.get().lines.get().product_ref == "978-2"


def test_expired_link_leads_to_the_page_that_finds_orders(shopper, guest_order, shop_settings):
    order = guest_order()
    path = f"/store/orders/{order.number}/?token={guest_links.token_for(order.number)}"
    assert order.number in shopper.get(path)
    shop_settings(GUEST_LINK_MAX_AGE=timedelta(seconds=-1))
    text = shopper.get(path)
    assert (shopper.response.status_code, shopper.response["Cache-Control"].count("no-store")) == (404, 1)
    assert 'href="/store/orders/"' in text
    for page, method in (("thanks/", "get"), ("pay/", "get"), ("pay/", "post"), ("cancel/", "post")):
        response = getattr(Client(), method)(f"/store/orders/{order.number}/{page}", {"token": "1:2"})
        assert (page, method, response.status_code) == (page, method, 404)
        assert response.content == Client().get("/store/orders/ABCDE-FGHIJ/").content


def routes():
    (found,) = (row for row in get_resolver().url_patterns if getattr(row, "app_name", "") == "shop_orders_pages")
    return {row.name: row.pattern for row in found.url_patterns}


def test_every_form_needs_a_token_of_the_site_and_every_page_is_private(shopper, place):
    order = place(provider="test")
    assert len(routes()) == 12
    for name, pattern in routes().items():
        path = "/store/" + str(pattern).replace("<str:number>", order.number)
        got, posted = shopper.client.get(path), shopper.client.post(path, {"product": "978-1"})
        assert posted.status_code == 403, name
        assert got.status_code in {200, 302, 404, 405}, name
        assert "no-store" in got["Cache-Control"], name
        assert shopper.client.put(path).status_code in {403, 405}, name


def test_limits_count_posts(shopper, shop_settings):
    shop_settings(THROTTLES={"cart": "1/h"}, TRUSTED_PROXIES=0)
    shopper.add()
    text = shopper.add()
    assert (shopper.response.status_code, shopper.response["Retry-After"].isdigit()) == (429, True)
    assert "Too many attempts" in text
    assert shopper.get("/store/cart/").count("Trees of Kenya") > 0


def test_link_is_asked_for_without_showing_which_orders_exist(
    shopper, shop, guest_order, django_capture_on_commit_callbacks
):
    order = guest_order()
    responses = []
    for number, email in (
        (order.number, "guest@example.org"),
        (order.number, "else@example.org"),
        ("A", "a@example.org"),
    ):
        shopper.get("/store/orders/")
        shopper.post("/store/orders/", number=f" {number.lower()} ", email=email)
        responses.append((shopper.path, "Check your e-mail." in shopper.text))
    assert responses == [("/store/orders/", True)] * 3
    assert [payload["order"]["number"] for payload in shop] == [order.number] * 3  # twice rolled back


def test_page_offers_no_link_where_nothing_sends_it(shopper, monkeypatch):
    monkeypatch.setattr(order_link_asked, "receivers", [])
    monkeypatch.setattr(order_link_asked, "use_caching", False)
    text = shopper.get("/store/orders/")
    assert ("<form" in text, "contact us with the order number" in text) == (False, True)


def test_customer_sees_own_orders_and_nobody_else_s(client, user, place, guest_order):
    mine, other = place(provider="test"), guest_order(provider="test")
    client.force_login(user)
    text = client.get("/store/orders/").content.decode()
    assert (mine.number in text, other.number in text) == (True, False)
    assert client.get(f"/store/orders/{mine.number}/").status_code == 200
    assert client.get(f"/store/orders/{other.number}/").status_code == 404


def test_log_in_is_linked_only_where_the_site_has_one(shopper, settings):
    shopper.add()
    assert "I have an account" not in shopper.get("/store/checkout/")
    settings.LOGIN_URL = "/shop/login/"
    assert 'href="/shop/login/?next=/store/checkout/"' in shopper.get("/store/checkout/")
    settings.LOGIN_URL = "admin:login"
    assert 'href="/admin/login/?next=/store/checkout/"' in shopper.get("/store/checkout/")
    set_script_prefix("/books/")
    try:
        text = shopper.get("/store/checkout/")
    finally:
        clear_script_prefix()
    assert 'href="/books/admin/login/?next=/books/store/checkout/"' in text
    settings.LOGIN_URL = "/shop/login/?step=1"
    for path in ("/store/checkout/", "/store/orders/"):
        assert f'href="/shop/login/?step=1&amp;next={path}"' in shopper.get(path)


@pytest.mark.urls("testproject.delivery_pages")
def test_site_adds_delivery_options_and_values_by_subclasses(shopper):
    shopper.add(2)
    text = shopper.get("/store/checkout/")
    assert text.index("By post") < text.index("From our shelf")
    assert "free" in text
    assert "The field" not in text
    shopper.enter(delivery="rocket")
    assert 'id="id_delivery_error"' in shopper.text
    shopper.enter(delivery="shelf", line1="", city="")
    assert "Ring twice" in shopper.text
    shopper.post("/store/checkout/place/", **shopper.hidden())
    shopper.pay("pay")
    order = Order.objects.get()
    assert (order.delivery, order.shipping_address, "From our shelf" in shopper.text) == ("shelf", {}, True)


def test_templates_and_blocks_are_replaced_by_those_of_the_site(shopper, settings, tmp_path):
    files = {
        "page.html": "<main>{% block words %}{% endblock %}</main>",
        "shop_orders_pages/base.html": '{% extends "page.html" %}'
        "{% block words %}{% block shop_content %}{% endblock %}{% endblock %}",
        "shop_orders_pages/cart.html": '{% extends "shop_orders_pages/cart.html" %}'
        "{% block shop_continue %}<b>More books</b>{% endblock %}",
        "shop_orders_pages/field.html": "<p>OUR FIELD {{ field.name }}</p>",
        "shop_orders_pages/icon.html": "[{{ name }}]",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path]}]
    shopper.client = Client()
    text = shopper.add()
    assert text.startswith("<main>")
    assert ("[lock]" in text, "<b>More books</b>" in text, "Trees of Kenya" in text) == (True, True, True)
    assert "OUR FIELD email" in shopper.get("/store/checkout/")


def test_messages_are_shown_once_also_where_the_site_shows_them(shopper, settings, tmp_path):
    assert shopper.add().count("Trees of Kenya is in your cart.") == 1
    (tmp_path / "base.html").write_text(
        "{% for message in messages %}{{ message }}{% endfor %}{% block content %}{% endblock %}"
    )
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path]}]
    assert shopper.add().count("Trees of Kenya is in your cart.") == 1


def test_customer_reads_what_log_in_changed_in_the_cart(shopper, user):
    client = shopper.client = Client()
    shopper.add()
    client.post("/shop/login/", {"username": "test-customer"})
    assert "Trees of Kenya was added to your cart." in shopper.get("/store/cart/")


def test_log_in_survives_a_hook_that_fails(shopper, user, shop_settings, caplog):
    shopper.client = Client()
    shopper.add()
    shop_settings(NEW_CUSTOMER="testproject.nothing.here")
    assert shopper.client.post("/shop/login/", {"username": "test-customer"}).content == b"logged in"
    assert "not merged at log-in" in caplog.text


@pytest.mark.parametrize(
    "values",
    [
        {"product": "\0"},
        {"product": "978-1", "quantity": "9" * 30},
        {"product": "x" * 500},
        {"back": "//evil.example"},
    ],
)
def test_nonsense_in_the_cart_is_refused_with_a_page(shopper, values):
    shopper.client = Client()
    for path in ("/store/cart/add/", "/store/cart/change/"):
        shopper._show(shopper.client.post(path, values, follow=True))
        assert (shopper.response.status_code, shopper.path) == (200, "/store/cart/")


@pytest.mark.parametrize("quantity", ["-5", "many", "2.5", "1 000", "9" * 30, "\u0663"])
def test_quantity_that_is_not_a_whole_number_or_too_large_adds_nothing(shopper, quantity):
    text = shopper.add(quantity)
    assert ('role="alert"' in text, "Nothing in it yet" in text) == (True, True)
    shopper.add(2)
    text = shopper.post("/store/cart/change/", product="978-1", quantity=quantity)
    assert ('role="alert"' in text, 'name="quantity" value="2"' in text) == (True, True)


def test_quantities_in_fields_have_no_separators(shopper, settings, shop_settings):
    settings.USE_THOUSAND_SEPARATOR = True
    shop_settings(MAX_QUANTITY=5000)
    Book.objects.update(on_hand=1500)
    shopper.add(1200)
    Book.objects.update(on_hand=1100)
    text = shopper.get("/store/cart/")
    assert 'value="1200" min="0" max="5000"' in text
    assert 'name="quantity" value="1100"' in text


def test_removed_provider_has_a_message_for_customers(shopper, shop_settings):
    bank = {"BACKEND": "shop_orders.payment_providers.BankTransfer", "OPTIONS": {"account": "Test Bank, 1"}}
    shop_settings(PAYMENT_PROVIDERS={"test": TEST, "bank": bank})
    shopper.review(payment="bank")
    shop_settings(PAYMENT_PROVIDERS={"test": TEST})
    text = shopper.get("/store/checkout/review/")
    assert (shopper.path, "This payment method is no longer offered." in text) == ("/store/checkout/", True)
    shopper.place()
    text = shopper.post(shopper.path, **{**shopper.hidden(), "payment": "bank"})
    assert "This payment method is no longer offered." in text


def test_cancelled_order_shows_no_thanks(shopper):
    shopper.place()
    order = Order.objects.get()
    thanks = f"/store/orders/{order.number}/thanks/?token={guest_links.token_for(order.number)}"
    assert "Thank you for your order" in shopper.get(thanks)
    lifecycle.cancel(order.pk)
    text = shopper.get(thanks)
    assert (f"<h1>Order {order.number}</h1>" in text, "Thank you" in text) == (True, False)


def test_shop_without_providers_says_so_instead_of_failing(shopper, shop_settings):
    shopper.add()
    shop_settings(PAYMENT_PROVIDERS={})
    shopper.enter()
    assert (shopper.response.status_code, shopper.path) == (200, "/store/checkout/")


def test_form_has_the_countries_of_the_site_first(shop_settings):
    shop_settings(PHONE_REGIONS=["UG", "XK"])
    form = CheckoutForm()
    assert [code for code, _name in form.fields["country"].choices][:3] == ["UG", "XK", "AF"]
    assert form.initial.get("country", form.fields["country"].initial) == "UG"
    assert len(countries.choices()) == len(set(dict(countries.choices())))


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("chosen", ["KE", "CI", "", None, '"><script>'])
def test_long_select_has_the_html_of_django(language, chosen):
    """The quoted name of Côte d'Ivoire, no choice, and one that is not offered are among them."""
    with translation.override(language):
        choices = countries.choices(["KE"])
        written = [
            kind({"autocomplete": "country"}, choices=choices).render("country", chosen, {"id": "id_country"})
            for kind in (LongSelect, forms.Select)
        ]
    assert parse_html(written[0]) == parse_html(written[1])
    assert ("Kenya" in written[0]) is (language == "en")


def test_long_select_may_have_groups():
    html = LongSelect(choices=[("Near", [("KE", "Kenya")]), ("Far", [("DE", "Germany")])]).render("country", "DE")
    assert html.count("<optgroup") == 2
    assert 'value="DE" selected' in html


def test_forms_share_one_template_engine():
    """Loading an engine takes five milliseconds."""
    assert CheckoutForm().renderer.engine is FindOrderForm().renderer.engine


def test_pages_are_german_for_germans(shopper, settings):
    settings.LANGUAGE_CODE = "de"
    with translation.override("de"):
        text = shopper.add()
        assert "In Ihrem Warenkorb" in text or "Ihr Warenkorb" in text
        shopper.get("/store/checkout/")
        text = shopper.post("/store/checkout/", email="nonsense", phone="1", payment="test")
        assert ("Diese E-Mail-Adresse ist" in text, "Diese Telefonnummer ist" in text) == (True, True)
        shopper.enter()
        shopper.post("/store/checkout/place/", **shopper.hidden())
        text = shopper.pay("pay")
        assert ("Bezahlt" in text, "Testzahlung" in text, "Paid" in text) == (True, True, False)


def test_texts_of_orders_that_the_pages_translate_exist():
    catalogue = Path(orders.__file__).parent / "locale/en/LC_MESSAGES/django.po"
    known = re.sub(r'"\n"', "", catalogue.read_text())
    groups = [value for name, value in vars(texts).items() if name.isupper()]
    listed = [text for group in groups for text in group]
    assert len(listed) > 60
    assert [text for text in listed if f'msgid "{text}"' not in known] == []


def test_check_says_what_the_site_lacks(settings, tmp_path):
    def found():
        return sorted(message.id for message in check_site(None))

    assert found() == []
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "OPTIONS": {"context_processors": engine["OPTIONS"]["context_processors"][1:]}}]
    assert found() == ["shop_orders_pages.W002"]
    settings.TEMPLATES = [{**engine, "APP_DIRS": False, "DIRS": [tmp_path]}]
    (tmp_path / "shop_orders_pages").mkdir()
    own = tmp_path / "shop_orders_pages/base.html"
    own.write_text((Path(package.__file__).parent / "templates/shop_orders_pages/base.html").read_text())
    assert found() == ["shop_orders_pages.E002"]
    own.write_text('{% extends "page.html" %}')
    settings.TEMPLATES = [{**engine, "APP_DIRS": False, "DIRS": [str(tmp_path)]}]  # Django keeps templates until then
    assert found() == []
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "messages" not in name]
    [message] = check_site(None)
    assert (message.id, '"django.contrib.messages.middleware.MessageMiddleware"' in message.hint) == (
        "shop_orders_pages.W001",
        True,
    )


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({"base.html": "{% block title %}{% endblock %}{% block content %}{% endblock %}"}, []),
        ({"base.html": "{% if user %}{% block content %}{% endblock %}{% endif %}"}, ["title"]),
        ({"base.html": "{% block title %}{% endblock %}{% block main %}{% endblock %}"}, ["content"]),
        ({"base.html": "<p>No blocks</p>"}, ["title", "content"]),
        ({"base.html": '{% extends "layout.html" %}', "layout.html": "{% block content %}{% endblock %}"}, ["title"]),
        ({"base.html": "{% extends layout %}{% block main %}{% endblock %}"}, []),
        ({"base.html": '{% extends "nothing.html" %}'}, []),
        ({"base.html": "{% load nothing %}"}, []),
        ({"base.html": '{% extends "layout.html" %}', "layout.html": "{% nonsense %}"}, []),
        ({"base.html": '{% extends "base.html" %}'}, []),
        ({"base.html": "", "shop_orders_pages/base.html": '{% extends "page.html" %}'}, []),
    ],
)
def test_check_names_the_blocks_that_base_html_lacks(settings, tmp_path, files, missing):
    """Without the block ``content``, the pages would be empty, and no error would say so."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path]}]
    found = [message for message in check_site(None) if message.id == "shop_orders_pages.W003"]
    assert [f"the block {name}" in message.msg for message in found for name in missing] == [True] * len(missing)
    assert len(found) == bool(missing)


def test_templates_use_no_class_that_a_framework_styles_as_something_else():
    """Bootstrap writes a badge in white and squeezes ``progress`` into a bar; Bulma puts ``columns`` in one row."""
    folder = Path(package.__file__).parent / "templates/shop_orders_pages"
    text = re.sub(r"{%.*?%}", " ", " ".join(path.read_text() for path in folder.glob("*.html")))
    used = {name for value in re.findall(r'class="([^"]*)"', text) for name in value.split()}
    assert "panel" in used
    styled = {"alert", "badge", "btn", "card", "collapse", "columns", "container", "modal", "nav", "progress"}
    assert used & styled == set()


def test_current_step_and_amounts_can_be_read_without_css(shopper):
    shopper.add(2)
    text = shopper.get("/store/checkout/")
    assert '<li aria-current="step"><strong>Your details</strong></li>' in text
    assert "</button> <a " in text
    shopper.enter()
    assert '<li aria-current="step"><strong>Review and order</strong></li>' in shopper.text
    assert "KSh\u00a025</" not in shopper.text
    shopper.post("/store/checkout/place/", **shopper.hidden())
    assert '<li class="done" aria-current="step"><strong>Accepted</strong></li>' in shopper.pay("pay")


@pytest.fixture
def engraved(shop_settings, settings):
    options = settings.SHOP_ORDERS["PRODUCT_SOURCE"]["OPTIONS"]
    names = {"line_options": "engravings", "needs_delivery": "is_printed"}
    source = {"BACKEND": "testproject.engraving.EngravingSource", "OPTIONS": {**options, **names}}
    shop_settings(PRODUCT_SOURCE=source)


def test_line_with_options_is_another_line_and_changed_by_itself(shopper, engraved):
    for name in ("Anna", "Ben", "Ben", " "):
        shopper.add(**{"option.Engraving": name})
    assert [shopper.text.count(f"Engraving: {name}") for name in ("Anna", "Ben")] == [1, 1]
    lines = re.findall(r'name="line" value="([^"]+)"', shopper.text)[::2]
    assert len(lines) == 3
    assert "Choose one of them." in shopper.post("/store/cart/change/", product="978-1", quantity="4")
    assert "Choose one of them." in shopper.post("/store/cart/change/", product="978-1", remove="1")
    shopper.post("/store/cart/change/", line=lines[0], product="978-1", quantity="4")
    text = shopper.post("/store/cart/change/", line=lines[2], product="978-1", remove="1", name="Trees of Kenya")
    assert "Trees of Kenya was removed." in text
    assert "There is no line" in shopper.post("/store/cart/change/", line="nothing", quantity="1")
    shopper.enter()
    assert "Engraving: Anna" in shopper.text
    shopper.post("/store/checkout/place/", **shopper.hidden())
    assert "Engraving: Ben" in shopper.pay("pay")
    lines = Order.objects.get().lines.values_list("quantity", "options")
    assert sorted(lines, key=str) == [(2, {"Engraving": "Ben"}), (4, {"Engraving": "Anna"})]


def test_options_that_are_refused_are_said_with_the_product(shopper, engraved):
    assert "has no option" in shopper.add(**{"option.Colour": "red"})
    assert shopper.path == "/store/cart/"


def test_too_many_units_are_said_in_the_cart(shopper, shop_settings):
    shopper.add(5)
    shop_settings(MAX_QUANTITY=2)
    text = shopper.get("/store/cart/")
    assert ("At most 2 of" in text, "Go to checkout" in text) == (True, False)


def test_what_is_not_delivered_needs_no_address(shopper, engraved, monkeypatch):
    monkeypatch.setattr(Book, "is_printed", False)
    shopper.add()
    assert "Where to?" not in shopper.get("/store/checkout/")
    shopper.enter(line1="", city="")
    shopper.post("/store/checkout/place/", **shopper.hidden())
    order = Order.objects.get()
    assert (order.shipping_address, shopper.path) == ({}, f"/store/orders/{order.number}/pay/")


@pytest.mark.skipif(not shutil.which("xgettext"), reason="the tools of gettext are not installed")
def test_every_text_is_translated(tmp_path):
    source = Path(package.__file__).parent
    shutil.copytree(source, tmp_path / "pages")
    make = [sys.executable, "-m", "django", "makemessages", "--locale=de", "--no-location", "--no-wrap"]
    without_settings = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run(make, cwd=tmp_path / "pages", env=without_settings, check=True, capture_output=True)
    catalogue = tmp_path / "pages/locale/de/LC_MESSAGES/django.po"
    for wrong in ("--untranslated", "--only-fuzzy"):
        done = subprocess.run(["msgattrib", wrong, catalogue], capture_output=True, text=True, check=True)
        assert "msgid" not in done.stdout.partition("\n\n")[2]
    subprocess.run(["msgfmt", "-o", tmp_path / "new.mo", source / "locale/de/LC_MESSAGES/django.po"], check=True)
    assert (tmp_path / "new.mo").read_bytes() == (source / "locale/de/LC_MESSAGES/django.mo").read_bytes()


def test_payments_by_hand_are_started_at_once(shopper, shop_settings):
    bank = {"BACKEND": "shop_orders.payment_providers.BankTransfer", "OPTIONS": {"account": "Test Bank, 1"}}
    shop_settings(PAYMENT_PROVIDERS={"bank": bank})
    text = shopper.place(payment="bank")
    assert (shopper.path.endswith("/thanks/"), "Test Bank, 1" in text) == (True, True)
    assert payments.providers_for(Order.objects.get())
    assert form_tokens.is_valid(shopper.hidden()["form_token"])


@pytest.mark.parametrize(
    ("values", "is_shown"), [({}, True), ({"is_confirmed": False}, False), ({"amount": 0}, False)]
)
def test_money_that_is_held_is_not_asked_for_again(shopper, shop_settings, values, is_shown):
    """Only what the provider has confirmed: the report of a stranger may be untrue."""
    bank = {"BACKEND": "shop_orders.payment_providers.BankTransfer", "OPTIONS": {"account": "Test Bank, 1"}}
    shop_settings(PAYMENT_PROVIDERS={"bank": bank})
    shopper.place(payment="bank")
    sent = {"provider": "till", "receipt": "R1", "amount": 10, "currency": "KES", "is_confirmed": True, **values}
    if sent["amount"]:
        IncomingPayment.objects.create(order=Order.objects.get(), **sent)
    number = Order.objects.get().number
    text = shopper.get(f"/store/orders/{number}/?token={guest_links.token_for(number)}")
    assert ("We have received" in text, "Test Bank, 1" in text) == (is_shown, not is_shown)
