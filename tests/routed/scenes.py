"""The life of orders, products and messages on the site. ``test_routed.py`` runs this in a process of its own."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.core.checks import WARNING, run_checks
from django.core.management import call_command
from django.db import connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hosts.mailbox import Mailbox
from shop_catalog import categories, imports, inventory, products, reviews, statistics
from shop_catalog.models import Category, Product, StockMovement
from shop_catalog.product_source import CatalogProductSource
from shop_notify import delivery
from shop_notify.models import Notification
from shop_orders import carts, checkout, customers, lifecycle, payments, signals
from shop_orders.exceptions import InsufficientStock
from shop_orders.models import Cart, Customer, IdempotencyKey, Order, OrderEvent, Payment, Refund

from routed.router import PLACES

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

ADDRESS = {"line1": "Acacia Court", "city": "Nairobi", "country": "KE"}
CONTACT = {"email": "guest@example.org", "name": "Test Guest"}


@pytest.fixture(autouse=True)
def only_sessions_on_default():
    """Nothing of the packages is ever asked of the default database."""
    Mailbox.outbox.clear()
    with CaptureQueriesContext(connections["default"]) as asked:
        yield
    words = ("django_session", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "PRAGMA", "SELECT 1", "sqlite_")
    strays = [query["sql"] for query in asked if not any(word in query["sql"] for word in words)]
    assert [sql for sql in strays if "shop_" in sql or "auth_" in sql] == []


@pytest.fixture
def mug():
    kitchen = categories.create("Kitchen")
    mug = products.create("MUG", name="Mug", price=Decimal("12.50"), categories=[kitchen], low_stock_threshold=3)
    inventory.receive({"MUG": 5}, reference="first")
    return mug


@pytest.fixture
def staff():
    client = Client()
    client.force_login(User.objects.create_superuser("staff", "staff@example.org", "pw"))
    return client


def post(client, url, body=None, *, expect=200, **headers):
    response = client.post(f"/api/{url}", body or {}, "application/json", headers=headers)
    assert response.status_code == expect, response.content
    return response


def cart_of(quantity=2, customer=None):
    cart, _token = carts.find_or_open(customer=customer)
    carts.add_item(cart, "MUG", quantity)
    return cart


def place(quantity=2, **options):
    return checkout.place_order(cart_of(quantity), contact=checkout.Contact(**CONTACT), **options)


def test_each_app_has_its_tables_in_its_database():
    tables = {alias: connections[alias].introspection.table_names() for alias in connections}
    found = {
        (app, alias)
        for alias, names in tables.items()
        for app in PLACES
        for name in names
        if name.startswith(f"{app}_")
    }
    expected = set(PLACES.items()) - {("contenttypes", "shop"), ("admin", "shop")}
    assert {pair for pair in found if pair[0].startswith(("shop_", "auth"))} == expected


def test_check_has_no_warnings():
    assert [message for message in run_checks() if message.level >= WARNING] == []


def test_guest_buys_pays_and_staff_ship_and_refund_once(mug, staff):
    guest = Client()
    token = post(guest, "orders/cart/add_item/", {"product": "MUG", "quantity": 2})["X-Cart-Token"]
    post(guest, "orders/cart/add_item/", {"product": "MUG", "quantity": 1}, **{"X-Cart-Token": token})
    body = {"contact": CONTACT, "shipping_address": ADDRESS}
    headers = {"X-Cart-Token": token, "Idempotency-Key": "o-1"}
    placed = [post(guest, "orders/orders/", body, expect=201, **headers).json() for _post in range(2)]
    assert placed[0] == placed[1]
    number, order_token = placed[0]["number"], {"X-Order-Token": placed[0]["guest_token"]}
    assert products.get("MUG").available_quantity == 2
    started = post(guest, f"orders/orders/{number}/payments/", expect=201, **order_token).json()
    guest.post(started["redirect_url"].removeprefix("http://testserver"), {"choice": "pay"})
    url = f"orders/staff/orders/{number}"
    assert post(staff, f"{url}/process/").json()["payment_status"] == "paid"
    assert post(staff, f"{url}/ship/").json()["status"] == "shipped"
    for _post in range(3):
        refunded = post(staff, f"{url}/refund/", {"amount": "5.00"}, **{"Idempotency-Key": "r-1"}).json()
        assert refunded["refunded_amount"] == "5.00"
    assert Refund.objects.count() == 1
    assert (products.get("MUG").stock_quantity, inventory.differences()) == (2, [])
    assert OrderEvent.objects.filter(announced_at=None).exclude(signal="").count() == 0
    sent = Notification.objects.filter(state="sent").values_list("event", "address")
    assert sorted(sent) == [("order_placed", "guest@example.org"), ("stock_low", "staff@example.org")]
    assert len(Mailbox.outbox["email"]) == 2


class Refusing(CatalogProductSource):
    """Takes the stock, then says that there is none."""

    def reserve(self, quantities, *, reference):
        assert super().reserve(quantities, reference=reference) == {}
        return dict.fromkeys(quantities, 0)


@pytest.mark.parametrize("way", ["action", "request"])
@pytest.mark.parametrize("plain", [False, True])
def test_refused_checkout_leaves_nothing(mug, settings, monkeypatch, way, plain):
    monkeypatch.setattr("shop_core.db.compiled.IS_PLAIN", plain)
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PRODUCT_SOURCE": {"BACKEND": f"{__name__}.Refusing"}}
    if way == "action":
        with pytest.raises(InsufficientStock):
            place()
    else:
        guest = Client()
        token = post(guest, "orders/cart/add_item/", {"product": "MUG"})["X-Cart-Token"]
        headers = {"X-Cart-Token": token, "Idempotency-Key": "o-1"}
        post(guest, "orders/orders/", {"contact": CONTACT}, expect=409, **headers)
    assert [model.objects.count() for model in (Order, OrderEvent, Customer, IdempotencyKey, Notification)] == [0] * 5
    assert Cart.objects.get().status == "open"
    assert products.get("MUG").available_quantity == 5
    assert StockMovement.objects.filter(kind="reserve").count() == 0


def test_signals_come_after_the_commit_of_their_database(mug):
    heard = []

    def hear(sender, payload, **_kwargs):
        heard.append((payload["order"]["number"], [c.alias for c in connections.all() if c.in_atomic_block]))

    signals.order_placed.connect(hear)
    try:
        with transaction.atomic(using="shop"):
            order = place()
            assert heard == []
        assert heard == [(order.number, [])]
        with transaction.atomic(using="shop"):
            place()
            transaction.set_rollback(True, using="shop")
        assert len(heard) == 1
        with transaction.atomic(using="default"):
            place(1)
            transaction.set_rollback(True, using="default")
    finally:
        signals.order_placed.disconnect(hear)
    assert len(heard) == Order.objects.count() == Notification.objects.filter(event="order_placed").count() == 2


def test_message_for_a_signal_inside_a_transaction_of_another_database_waits_for_its_commit(mug):
    from shop_catalog.signals import stock_low

    payload = {"product": {"sku": "MUG", "name": "Mug", "slug": "mug"}, "available": 1, "threshold": 3}
    for sender, alias in ((Product, "shop"), (None, "default")):
        with transaction.atomic(using=alias):
            stock_low.send(sender=sender, payload=payload, event_id=f"lost-{alias}")
            transaction.set_rollback(True, using=alias)
        with transaction.atomic(using=alias):
            stock_low.send(sender=sender, payload=payload, event_id=f"kept-{alias}")
            assert not Notification.objects.filter(event_id=f"kept-{alias}").exists()
    assert sorted(Notification.objects.values_list("event_id", flat=True)) == ["kept-default", "kept-shop"]
    assert delivery.deliver_due() == 0  # the queue was woken after the commit


def test_jobs_of_all_packages(mug):
    unpaid = place(1)
    Order.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    paid = place(1)
    payment = payments.start(paid.pk)
    payments.add_data(payment.pk, outcome="captured")
    Payment.objects.update(next_check_at=timezone.now())
    OrderEvent.objects.update(announced_at=None, next_attempt_at=timezone.now())
    for package in ("catalog", "orders", "notify"):
        call_command(f"shop_{package}_jobs", "--all")
    unpaid.refresh_from_db()
    paid.refresh_from_db()
    assert (unpaid.status, paid.payment_status) == ("cancelled", "paid")
    assert OrderEvent.objects.waiting().count() == 0
    assert (products.get("MUG").available_quantity, inventory.differences()) == (4, [])


def test_customers_log_in_merge_claim_and_are_forgotten(mug, settings):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "VERIFIED_EMAILS": "routed.scenes.own_address"}
    user = User.objects.create_user("buyer", CONTACT["email"], "pw")
    order = place(1)
    customer = customers.for_user(user)
    assert customers.claim_orders(user) == 1
    customers.set_addresses(customer, [ADDRESS])
    guest_cart, token = carts.find_or_open()
    carts.add_item(guest_cart, "MUG", 1)
    carts.merge(token, customer=customer)
    assert [item.quantity for item in carts.find(customer=customer).items.all()] == [1]
    lifecycle.cancel(order.pk, by=user)
    assert customers.anonymise(customer) == 1
    assert Order.objects.get(customer=customer).email == ""
    user.delete()
    assert Customer.objects.get(pk=customer.pk).user is None


def own_address(user):
    return [user.email]


def test_tree_imports_reviews_and_figures_are_of_the_shop(mug, staff, tmp_path):
    kitchen = Category.objects.get()
    tea = categories.create("Tea", parent=kitchen)
    with transaction.atomic(using="shop"):
        categories.create("Lost", parent=tea)
        products.set_price(mug, price=Decimal(20))
        inventory.adjust({"MUG": -3}, reason="Broken")
        transaction.set_rollback(True, using="shop")
    categories.move(tea, parent=None)
    assert sorted(Category.objects.values_list("name", "level")) == [("Kitchen", 0), ("Tea", 0)]
    assert categories.check() == []
    raw = [imports.RawRow(number, {"sku": f"T{number}", "name": f"Tea {number}", "price": "2"}) for number in range(3)]
    assert imports.import_products(raw, dry_run=True).created == 3
    assert Product.objects.count() == 1
    assert imports.import_products(raw).created == 3
    review = reviews.submit(mug, user=User.objects.get(), rating=5)
    reviews.moderate(review, status="published")
    statistics.fold()
    assert statistics.for_category("kitchen").average == Decimal("12.50")
    assert products.get("MUG").stock_quantity == 5
    assert staff.get("/api/products/products/?q=tea").json()["items"]
    fixture = tmp_path / "catalogue.json"
    call_command("dumpdata", "shop_catalog.category", "shop_catalog.product", database="shop", output=str(fixture))
    call_command("loaddata", str(fixture), database="shop", verbosity=0)
    assert categories.check() == []


def test_admin_pages_of_the_shop(mug, staff):
    order = place(1)
    for page in (
        f"shop_orders/order/{order.pk}/change/",
        "shop_orders/order/",
        "shop_notify/notification/",
        f"shop_catalog/product/{mug.pk}/change/",
    ):
        assert staff.get(f"/admin/{page}").status_code == 200, page
    step = f"/admin/shop_orders/order/{order.pk}/step/cancel/"
    assert staff.post(step, {"reason": "Sold out"}).status_code in {200, 302}
    row = Notification.objects.get()
    resent = post(staff, f"notifications/staff/{row.public_id}/resend/", expect=201).json()
    assert Notification.objects.get(public_id=resent["id"]).state == "sent"
