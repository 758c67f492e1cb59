"""A guest orders, pays and is told; staff ship and refund. ``test_hosts.py`` runs this on each site, in a process."""

import asyncio
import os
import re
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from html import unescape
from importlib.util import find_spec
from io import StringIO

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.core.checks import WARNING, run_checks
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test import AsyncClient, Client
from django.utils.formats import date_format
from django.utils.timezone import template_localtime
from shop_notify.models import Notification
from shop_notify.notifiers import MemoryNotifier
from shop_orders.models import Order, Refund
from shop_orders.product_sources import ModelProductSource, product_source

from hosts.models import Cup, CupPage, CupStock, Picture

pytestmark = pytest.mark.django_db(transaction=True)

KIND = settings.SETTINGS_MODULE.rpartition(".")[2]
ADDRESS = {"line1": "Acacia Court", "city": "Nairobi", "country": "KE"}
CONTACT = {"email": "guest@example.org", "name": "Test Guest", "phone": "0712 345 678"}
TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d[^"]*)"')


def make_product(units=5):
    """A mug of 12.50 in whatever the site sells. Returns its reference."""
    if "shop_catalog" in settings.INSTALLED_APPS:
        from shop_catalog import inventory, products

        products.create("MUG", name="Mug", price=Decimal("12.50"))
        inventory.receive({"MUG": units}, reference="first")
        return "MUG"
    if KIND == "pages":
        picture = Picture.objects.create(file="pictures/mug.jpg")
        page = CupPage.objects.create(path="0001", slug="mug", title="Mug", price=Decimal("12.50"), picture=picture)
        CupStock.objects.create(page=page, units=units)
        return str(page.pk)
    if KIND == "wagtail":
        from hosts.wagtail_pages.sample import make_loaf

        return str(make_loaf(units).pk)
    if KIND == "tree":
        from hosts.tree_shop.models import TreeCup

        return str(TreeCup.add_root(title="Mug", price="12.50", stock=units).pk)
    return Cup.objects.create(code="MUG", title="Mug", price=Decimal("12.50"), stock=units).code


@pytest.fixture
def mug():
    MemoryNotifier.outbox.clear()
    return make_product()


@pytest.fixture
def staff():
    user = get_user_model()
    words = {"username": "staff"} if user.USERNAME_FIELD == "username" else {}
    person = user.objects.create_superuser(**{user.EMAIL_FIELD: "staff@example.org", "password": "pw", **words})
    client = Client()
    assert client.login(**{user.USERNAME_FIELD: person.get_username(), "password": "pw"})
    return client


def post(client, place, body=None, *, expect=200, **headers):
    response = client.post(f"{settings.API_PATH}{place}", body or {}, "application/json", headers=headers)
    assert response.status_code == expect, response.content
    return response


def sent():
    """``(event, channel)`` of each message that left the site."""
    assert not Notification.objects.exclude(state="sent").exists(), list(
        Notification.objects.values_list("event", "channel", "state", "last_error")
    )
    return sorted(Notification.objects.exclude(audience="admins").values_list("event", "channel"))


def order_as_guest(mug, quantity=2):
    guest = Client()
    token = post(guest, "orders/cart/add_item/", {"product": mug, "quantity": quantity})["X-Cart-Token"]
    body = {"contact": CONTACT, "shipping_address": ADDRESS}
    placed = post(guest, "orders/orders/", body, expect=201, **{"X-Cart-Token": token}).json()
    return guest, placed["number"], placed["guest_token"]


def available(mug):
    return product_source().fetch([mug])[mug].available


PACKAGES = [name for name in ("shop_catalog", "shop_orders", "shop_notify") if name in settings.INSTALLED_APPS]


def test_check_has_no_warnings():
    messages = [message for message in run_checks() if not message.is_silenced()]
    assert [message for message in messages if message.level >= WARNING] == []


@pytest.mark.skipif(KIND != "old", reason="the other sites have the DEFAULT_AUTO_FIELD of new projects")
def test_auto_field_of_the_site_changes_no_model_of_the_packages(capsys):
    call_command("makemigrations", *PACKAGES, dry_run=True)
    assert capsys.readouterr().out.startswith("No changes detected in apps")


def test_guest_orders_and_pays_and_staff_ship_and_refund(mug, staff):
    guest, number, token = order_as_guest(mug)
    assert available(mug) == 3
    assert sent() == [("order_placed", "email"), ("order_placed", "sms")]
    started = post(guest, f"orders/orders/{number}/payments/", expect=201, **{"X-Order-Token": token}).json()
    guest.post(started["redirect_url"].removeprefix("http://testserver"), {"choice": "pay"})
    order = Order.objects.get()
    assert order.payment_status == "paid"
    for step, words in (("process", {}), ("ship", {"carrier": "Boda", "tracking_number": "B-1"})):
        take_step(staff, order, step, words)
    order.refresh_from_db()
    assert order.status == "shipped"
    take_step(staff, order, "refund", {"amount": "5.00", "reason": "A scratch"})
    refund = Refund.objects.get()
    assert (refund.amount, refund.status) == (Decimal("5.00"), "succeeded")
    assert {"order_placed", "order_shipped", "order_refunded"} <= {event for event, _channel in sent()}
    assert guest_mails() >= 3
    tracking = guest.get(f"{settings.API_PATH}orders/orders/{number}/tracking/", {"token": token})
    times = TIME.findall(tracking.content.decode())
    assert len(times) >= 3
    for text in times:
        moment = datetime.fromisoformat(text)
        assert moment.utcoffset() == timedelta(0), text
        now = datetime.now(moment.tzinfo)
        assert abs(now - moment) < timedelta(minutes=5) or moment > now, text
    for page in admin_pages(order):
        follow_links(staff, page, opens=KIND == "desk")


def send(guest, page, **values):
    """Send the form of a page with its hidden fields, and return the page that follows."""
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.content.decode()))
    path = values.pop("to", page.request["PATH_INFO"])
    shown = guest.post(path, {**fields, **values}, follow=True)
    assert shown.status_code == 200, path
    return shown


def test_guest_buys_through_the_pages(mug):
    guest = Client(enforce_csrf_checks=True)
    page = send(guest, guest.get("/shop/orders/"), to="/shop/cart/add/", product=mug, quantity=2)
    assert "Mug is in your cart." in page.content.decode()
    fields = {**CONTACT, **ADDRESS, "payment": "test"}
    page = send(guest, guest.get("/shop/checkout/"), **fields)
    page = send(guest, page, to="/shop/checkout/place/")
    page = send(guest, page, to=page.request["PATH_INFO"], payment="test")
    assert page.request["PATH_INFO"].startswith("/pay/test/")
    page = guest.post(page.request["PATH_INFO"], {**tokens(page), "choice": "pay"}, follow=True)
    assert "Your payment arrived" in page.content.decode()
    order = Order.objects.get()
    assert (order.payment_status, order.total, available(mug)) == ("paid", Decimal("25.00"), 3)
    send(guest, guest.get("/shop/orders/"), number=order.number, email=CONTACT["email"])
    assert ("order_link", "email") in sent()
    send(guest, page, to=f"/shop/orders/{order.number}/cancel/", reason="Too many")
    assert (Order.objects.get().status, available(mug)) == ("cancelled", 5)


def tokens(page):
    return dict(re.findall(r'name="(csrfmiddlewaretoken)" value="([^"]*)"', page.content.decode()))


def guest_mails():
    if settings.SHOP_NOTIFY["NOTIFIERS"]["email"]["BACKEND"].endswith("EmailNotifier"):
        return len([message for message in mail.outbox if "guest@example.org" in str(message.to)])
    return len(MemoryNotifier.outbox["email"])


def take_step(staff, order, name, words):
    """Submit a step's form on the site's admin, and follow where it leads."""
    page = f"{settings.ADMIN_PATH}shop_orders/order/{order.pk}/step/{name}/"
    form = staff.get(page)
    assert form.status_code == 200, form.content
    hidden = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form.content.decode()))
    given = {key: value for key, value in hidden.items() if key != "csrfmiddlewaretoken"}
    done = staff.post(page, {**given, "notify": "on", **words})
    assert done.status_code == 302, done.content.decode()
    assert done["Location"].startswith(settings.ADMIN_PATH)
    assert staff.get(done["Location"]).status_code == 200


def admin_pages(order):
    pages = [f"shop_orders/order/{order.pk}/change/", "shop_orders/order/", "shop_orders/payment/"]
    row = Notification.objects.filter(channel="email").first()
    pages += ["shop_notify/notification/", f"shop_notify/notification/{row.pk}/change/"]
    if "shop_catalog" in settings.INSTALLED_APPS:
        from shop_catalog.models import Product

        key = Product.objects.get().pk
        pages += ["shop_catalog/product/", f"shop_catalog/product/{key}/change/", "shop_catalog/product/import/"]
    return [settings.ADMIN_PATH + page for page in pages]


def follow_links(staff, page, *, opens):
    """Every link of an admin page stays on its admin site, and opens; to save time, one site opens them."""
    response = staff.get(page)
    assert response.status_code == 200, page
    links = {unescape(link) for link in re.findall(r'(?:href|action)="([^"#]+)"', response.content.decode())}
    inner = {link for link in links if link.startswith("/") and not link.startswith(("/static/", "/pay/"))}
    assert inner
    assert {link for link in inner if not link.startswith(settings.ADMIN_PATH)} <= {"/"}, page
    for link in sorted(inner - {"/"} - FOLLOWED) if opens else []:
        FOLLOWED.add(link)
        if "logout" not in link:
            with closing(staff.get(link)) as opened:
                assert opened.status_code in {200, 302, 405}, link


FOLLOWED: set[str] = set()


def test_admin_forms_lead_to_pages_of_their_own_site(mug, staff):
    order_as_guest(mug)
    row = Notification.objects.filter(channel="email").first()
    page = f"{settings.ADMIN_PATH}shop_notify/notification/{row.pk}/resend/"
    token = re.search(r'name="form_token" value="([^"]+)"', staff.get(page).content.decode())[1]
    done = staff.post(page, {"address": row.address, "form_token": token})
    assert (done.status_code, done["Location"].startswith(settings.ADMIN_PATH)) == (302, True)
    if "shop_catalog" in settings.INSTALLED_APPS:
        from shop_catalog.models import Product

        product = Product.objects.get()
        words = {"action": "change_stock", "_selected_action": [product.pk]}
        chosen = staff.post(f"{settings.ADMIN_PATH}shop_catalog/product/", words)
        assert chosen["Location"].startswith(f"{settings.ADMIN_PATH}shop_catalog/product/stock/")
        shown = staff.get(f"{settings.ADMIN_PATH}shop_catalog/product/{product.pk}/change/").content.decode()
        moved_at = template_localtime(product.stock_movements.earliest("pk").created_at)
        assert date_format(moved_at, "SHORT_DATETIME_FORMAT") in shown


def test_jobs_find_nothing_left_and_cancelling_gives_goods_back(mug, staff):
    guest, number, token = order_as_guest(mug)
    post(guest, f"orders/orders/{number}/cancel/", **{"X-Order-Token": token})
    assert available(mug) == 5
    unpaid = order_as_guest(mug)[1]
    Order.objects.filter(number=unpaid).update(expires_at=Order.objects.get(number=unpaid).placed_at)
    for package in PACKAGES:
        call_command(f"{package}_jobs", "--all")
    assert Order.objects.get(number=unpaid).status == "cancelled"
    assert available(mug) == 5
    assert ("order_cancelled", "email") in sent()


def test_mistakes_and_broken_credentials_get_problem_documents(mug):
    client = Client(raise_request_exception=False)
    wrong = post(client, "orders/cart/add_item/", {"product": mug, "quantity": "many"}, expect=422)
    assert [error["field"] for error in wrong.json()["errors"]] == ["quantity"]
    for headers in ({"Authorization": "Bearer broken"}, {"X-Partner-Key": "broken"} if KIND == "keys" else {}):
        if headers:
            post(client, "orders/cart/add_item/", {"product": mug, "quantity": 1}, expect=401, **headers)
    if KIND == "keys":
        from hosts.keys_urls import KEY

        get_user_model().objects.create_superuser("partner", "partner@example.org", "pw")
        for api in ("/v1/", "/v2/"):
            headers = {"X-Partner-Key": KEY}
            assert Client().get(f"{api}orders/staff/orders/", headers=headers).json()["items"] == []
            assert Client().get(f"{api}notifications/staff/", headers=headers).status_code == 200
            assert Client().get(f"{api}notifications/preferences/", headers=headers).status_code == 200


def test_async_views_send_signals_and_show_the_cart(mug, staff):
    guest = Client()
    token = post(guest, "orders/cart/add_item/", {"product": mug, "quantity": 2})["X-Cart-Token"]
    assert token
    post(staff, "orders/cart/add_item/", {"product": mug, "quantity": 3})

    async def visit():
        client = AsyncClient()
        client.cookies.update(staff.cookies)
        pages = [await client.get(f"/{name}/") for name in ("page", "async-page", "documented-page")]
        washed = [await client.get(f"/wash/{way}/") for way in ("async", "old")]
        await sync_to_async(connections.close_all)()  # otherwise the test database cannot be deleted
        return [response.content.decode().strip() for response in [*pages, *washed]]

    assert asyncio.run(visit()) == [*["3 in the cart"] * 3, "washed", "washed"]
    found = Notification.objects.filter(event="cup_washed").values_list("event_id", "state")
    assert sorted(found) == [("washed-async", "sent"), ("washed-old", "sent")]


def test_user_logs_in_and_buys_as_a_customer(mug, staff):
    user = get_user_model().objects.get()
    post(staff, "orders/cart/add_item/", {"product": mug, "quantity": 1})
    placed = post(staff, "orders/orders/", {"contact": CONTACT, "shipping_address": ADDRESS}, expect=201).json()
    listed = staff.get(f"{settings.API_PATH}orders/orders/").json()["items"]
    assert [row["number"] for row in listed] == [placed["number"]]
    assert Order.objects.get().customer.user == user
    assert Order.objects.get().customer.email == "staff@example.org"


@pytest.mark.skipif(KIND != "old", reason="the other sites have one set of URLs, and no router")
def test_only_the_host_of_the_shop_has_its_urls_and_the_router_is_asked(mug):
    from hosts.old_urls import Router

    order_as_guest(mug)
    assert {"Order", "Cart", "Product", "Notification"} <= Router.asked
    elsewhere = Client(headers={"host": "news.example.org"})
    assert elsewhere.get("/").content == b"another host"
    for page in (f"{settings.API_PATH}orders/cart/", settings.ADMIN_PATH, "/pay/"):
        assert elsewhere.get(page).status_code == 404


@pytest.mark.skipif(KIND != "cookiecutter" or not find_spec("celery"), reason="needs Celery")
def test_messages_are_sent_by_a_task_of_celery(mug):
    from hosts import celery_app

    celery_app.RAN.clear()
    order_as_guest(mug)
    assert set(celery_app.RAN) == {"hosts.celery_app.deliver"}
    assert sent() == [("order_placed", "email"), ("order_placed", "sms")]


@pytest.mark.skipif("shop_catalog" not in PACKAGES, reason="sells a table of its own")
def test_times_that_are_sent_with_an_offset_come_back_in_utc(mug, staff):
    place = f"{settings.API_PATH}products/products/mug/"
    body = {"publish_from": "2026-01-05T12:00:00+03:00"}
    changed = staff.patch(place, body, "application/json")
    assert changed.status_code == 200, changed.content
    assert changed.json()["publish_from"] == staff.get(place).json()["publish_from"] == "2026-01-05T09:00:00Z"


@pytest.mark.skipif(KIND != "pages", reason="only pages have positions and revisions")
def test_page_that_moves_and_is_published_again_keeps_cart_price_and_stock(mug):
    page = CupPage.objects.get()
    page.save_revision()
    _guest, number, _token = order_as_guest(mug)
    CupPage.objects.filter(pk=page.pk).update(path="0002")
    CupPage.objects.create(path="0001", slug="mug", title="Another page", price=Decimal(99))
    page.publish()
    assert available(mug) == 3
    [line] = Order.objects.get(number=number).lines.values("product_ref", "name")
    assert line == {"product_ref": str(page.pk), "name": "Mug"}
    assert product_source().fetch([mug])[mug].image.endswith("pictures/mug.jpg")
    CupPage.objects.filter(pk=page.pk).update(live=False)
    assert product_source().fetch([mug]) == {}


@pytest.mark.skipif(KIND != "wagtail", reason="needs Wagtail")
def test_wagtail_page_that_is_edited_moved_and_copied_keeps_its_stock(mug, staff):
    """The form and the revision have the page as it was before the order; a column of the page is written back."""
    from wagtail.models import Page

    from hosts.wagtail_pages.models import LoafPage

    page = LoafPage.objects.get()
    own_column = ModelProductSource(
        model="wagtail_pages.LoafPage", ref="id", name="title", price="price", stock="stock"
    )
    draft = page.save_revision()
    _guest, number, _token = order_as_guest(mug)
    with transaction.atomic():
        assert own_column.reserve({mug: 2}, reference=number) == {}
    form = {"title": "Mug", "slug": "mug", "price": "14.00", "action-publish": "1"}
    form |= {"comments-TOTAL_FORMS": "0", "comments-INITIAL_FORMS": "0"}
    assert own_column.fetch([mug])[mug].available == 3
    edited = staff.post(f"/cms/pages/{page.pk}/edit/", form)
    assert (edited.status_code, LoafPage.objects.get().price) == (302, Decimal("14.00")), edited.content.decode()
    draft.publish()
    assert (own_column.fetch([mug])[mug].available, available(mug)) == (5, 3)
    page.refresh_from_db()
    shelf = page.get_parent().add_child(instance=Page(title="Cups", slug="cups"))
    page.move(shelf, pos="last-child")
    moved = LoafPage.objects.get()
    copy = moved.copy(update_attrs={"slug": "mug-2", "title": "Another mug"})
    assert "Mug" in Client().get(moved.url).content.decode()
    assert (available(mug), product_source().fetch([str(copy.pk)])) == (3, {})
    assert product_source().fetch([mug])[mug].url == "/cups/mug/"
    assert Order.objects.get(number=number).lines.get().name == "Mug"
    moved.unpublish()
    assert product_source().fetch([mug]) == {}


@pytest.mark.skipif(KIND != "tree", reason="needs treebeard and django-money")
def test_quick_start_sells_a_row_that_moves_and_a_price_with_a_currency(mug):
    from djmoney.money import Money

    from hosts.tree_shop.models import TreeCup

    printed = StringIO()
    call_command("shop_orders_quickstart", "tree_shop.TreeCup", stdout=printed, stderr=StringIO())
    proposed: dict = {}
    exec(printed.getvalue(), proposed)
    assert proposed["SHOP_ORDERS"]["PRODUCT_SOURCE"] == settings.SHOP_ORDERS["PRODUCT_SOURCE"]
    _guest, number, _token = order_as_guest(mug)
    other = TreeCup.add_root(title="Other", price=Money("9.00", "KES"), stock=5)
    other.move(TreeCup.objects.get(pk=mug), pos="left")
    assert TreeCup.objects.order_by("path").first() == other
    assert (available(mug), Order.objects.get(number=number).lines.get().name) == (3, "Mug")
    cup = TreeCup.objects.get(pk=mug)
    cup.price = Money("12.50", "USD")
    cup.save()
    TreeCup.objects.filter(pk=other.pk).update(price=None)
    assert product_source().fetch([mug, str(other.pk)]) == {}


@pytest.mark.skipif(KIND != "old", reason="the other sites make their tables without migrations")
@pytest.mark.skipif(os.environ.get("SHOP_TEST_HOSTS") != "all", reason="takes four seconds: run by `nox -s hosts`")
def test_packages_are_removed_with_their_data_and_come_back_empty(mug, staff):
    """docs/howto/operations-existing-site.md says what stays."""
    order_as_guest(mug)
    try:
        for package in reversed(PACKAGES):
            call_command("migrate", package, "zero", verbosity=0)
        assert [name for name in connection.introspection.table_names() if name.startswith("shop_")] == []
        assert get_user_model().objects.count() == 1
        assert set(ContentType.objects.values_list("app_label", flat=True)) >= {*PACKAGES, "auth"}
    finally:
        call_command("migrate", verbosity=0)
    assert Order.objects.count() == 0
    order_as_guest(make_product())
