import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import StringIO

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client, RequestFactory
from shop_orders import carts, customers, lifecycle, payments
from shop_orders.exceptions import InvalidAddress, InvalidPhone, InvalidTransition
from shop_orders.models import Address, Credit, Customer, Order, OrderEvent, Payment
from shop_orders.payment_providers import PaymentEvent

pytestmark = pytest.mark.django_db


def test_customer_is_created_once_with_the_data_of_the_user(user):
    first, second = customers.for_user(user), customers.for_user(user)
    assert first == second
    assert (first.first_name, first.email, first.name) == ("Test", "customer@example.org", "Test")


def test_hook_fills_a_new_customer(user, shop_settings):
    shop_settings(NEW_CUSTOMER="testproject.hooks.new_customer")
    assert customers.for_user(user).phone == "+254700000001"


def test_request_user_is_found_in_request_auth(user):
    request = RequestFactory().get("/")
    assert customers.for_request(request) is None
    request.auth = user
    assert customers.for_request(request).user == user
    request.auth = "an API key"
    assert customers.for_request(request) is None


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0712 345 678", "+254712345678"),
        ("+254 712-345-678", "+254712345678"),
        ("254712345678", "+254712345678"),
        ("+44 20 7946 0018", "+442079460018"),
        ("", ""),
        ("  ", ""),
    ],
)
def test_phone_is_kept_as_e164(customer, text, stored):
    assert customers.update(customer, phone=text).phone == stored


@pytest.mark.parametrize("text", ["12", "phone", "+999 123", "0712 345 67", "+254712345678\n1"])
def test_invalid_phone_is_refused(customer, text):
    with pytest.raises(InvalidPhone):
        customers.update(customer, phone=text)


def test_update_refuses_other_fields(customer):
    with pytest.raises(TypeError):
        customers.update(customer, user="1")


def test_database_refuses_a_phone_that_is_not_e164(customer):
    with pytest.raises(IntegrityError), transaction.atomic():
        Customer.objects.update(phone="0712345678")


def test_addresses_are_replaced_and_one_is_the_default(customer):
    one = {"line1": "1 Test Road", "city": "Nairobi", "country": "ke", "label": "home"}
    two = {**one, "line1": "2 Test Road", "is_default": True}
    customers.set_addresses(customer, [one, two])
    assert [(row.line1, row.is_default, row.country) for row in customer.addresses.order_by("id")] == [
        ("1 Test Road", False, "KE"),
        ("2 Test Road", True, "KE"),
    ]
    customers.set_addresses(customer, [one])
    assert customer.addresses.get().is_default
    with pytest.raises(InvalidAddress):
        customers.set_addresses(customer, [{"line1": "1 Test Road"}])
    assert customer.addresses.count() == 1


def test_anonymising_keeps_orders_and_amounts(place, customer, user, memory_provider):
    customers.set_addresses(customer, [{"line1": "1 Test Road", "city": "Nairobi", "country": "KE"}])
    order = place(contact=None, note="Ring at the Doe house", provider="bank")
    payments.start(order.pk)
    payments.record_payment(order.pk)
    lifecycle.add_note(order.pk, text="Jane called", by=user)
    with pytest.raises(InvalidTransition):
        customers.anonymise(customer)
    lifecycle.cancel(order.pk)
    assert customers.anonymise(customer) == 1
    order.refresh_from_db()
    customer.refresh_from_db()
    assert (order.total, order.lines.count(), order.paid_amount) == (25, 1, 25)
    everything = str([list(model.objects.values()) for model in (Customer, Order, OrderEvent, Payment, Address)])
    for text in ("customer@example.org", "Test Road", "Jane", "Doe", "Test'"):
        assert text not in everything
    assert customer.user is None
    assert customer.anonymised_at is not None
    assert get_user_model().objects.filter(pk=user.pk).exists()
    assert customers.anonymise(customer) == 1


def everything():
    """Every row of the app, as text."""
    models = apps.get_app_config("shop_orders").get_models()
    return str([list(model.objects.values()) for model in models])


def test_anonymising_removes_all_personal_data(client, guest_order, user, memory_provider, book):
    """A guest orders, pays, cancels and is refunded. Every text that is stored has its own mark."""
    staff = Client(headers={"Authorization": f"Bearer user-{user.pk}"})
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="shop_orders"))
    added = client.post("/api/orders/cart/add_item/", {"product": "978-1"}, "application/json")
    headers = {"X-Cart-Token": added["X-Cart-Token"]}
    body = {
        "contact": {"name": "Mark-1", "email": "mark-2@example.org", "phone": "0712345678"},
        "shipping_address": {"name": "Mark-3", "line1": "Mark-4", "city": "Mark-5", "country": "KE"},
        "note": "Mark-6",
        "payment_provider": "memory",
    }
    placed = client.post(
        "/api/orders/orders/", body, "application/json", headers={**headers, "Idempotency-Key": "k-1"}
    ).json()
    number, token = placed["number"], {"X-Order-Token": placed["guest_token"]}
    path = f"/api/orders/orders/{number}/"
    started = client.post(f"{path}payments/", {}, "application/json", headers={**token, "Idempotency-Key": "k-2"})
    payment = Payment.objects.get(public_id=started.json()["id"])
    event = PaymentEvent(
        event_id="evt-1",
        kind="captured",
        reference=payment.provider_reference,
        amount=payment.amount,
        data={"payer": "Mark-7"},
    )
    payments.apply_event("memory", event)
    order = Order.objects.get()
    OrderEvent.objects.update(last_error="SMTPRecipientsRefused: mark-8")
    staff_path = f"/api/orders/staff/orders/{number}/"
    for verb, sent in (
        ("note", {"text": "Mark-9"}),
        ("refund", {"reason": "Mark-10", "amount": "1.00"}),
        ("cancel", {"reason": "Mark-11"}),
    ):
        response = staff.post(f"{staff_path}{verb}/", sent, "application/json", headers={"Idempotency-Key": verb})
        assert response.status_code == 200, response.content
    assert re.findall(r"(?i)mark-\d+", everything())

    customers.anonymise(order.customer)

    assert re.findall(r"(?i)mark-\d+|254712345678", everything()) == []
    assert Order.objects.get().paid_amount == payment.amount


def test_reasons_of_returns_and_credits_are_erased(place, user):
    order = place(quantity=2)
    lifecycle.start_processing(order.pk)
    lifecycle.ship(order.pk)
    lifecycle.restock(order.pk, {"978-1": 1}, credit=True, reason="Mark-1 refused it", by=user)
    lifecycle.deliver(order.pk)
    cancelled = place()
    lifecycle.cancel(cancelled.pk, reason="Mark-2 moved away", by=user)
    assert "Mark-1" in everything()
    customers.anonymise(order.customer)
    assert re.findall(r"(?i)mark-\d+", everything()) == []
    assert list(Credit.objects.order_by("id").values_list("actor", "amount")) == [(None, Decimal("12.50")), (None, 25)]


def test_claiming_orders_deletes_the_guest_customer(guest_order, user, shop_settings):
    shop_settings(VERIFIED_EMAILS="testproject.hooks.verified_emails")
    order = guest_order(email="customer@example.org")
    guest = order.customer
    customers.claim_orders(user)
    assert not Customer.objects.filter(pk=guest.pk).exists()


def test_command_anonymises_by_public_id_or_email(guest_order, customer):
    for _order in range(2):
        lifecycle.cancel(guest_order().pk)
    out = StringIO()
    call_command("anonymise_customer", "guest@example.org", dry_run=True, stdout=out)
    assert out.getvalue().count("Would anonymise") == 2
    call_command("anonymise_customer", "guest@example.org", stdout=out)
    assert not Order.objects.exclude(email="").exists()
    call_command("anonymise_customer", str(customer.public_id), stdout=out)
    for unknown in ("nobody@example.org", "no-uuid"):
        with pytest.raises(CommandError):
            call_command("anonymise_customer", unknown)


def test_guest_orders_are_claimed_with_a_verified_address_only(guest_order, user, shop_settings):
    mine, other = guest_order(email="Customer@Example.org"), guest_order(email="someone@example.org")
    assert customers.claim_orders(user) == 0
    shop_settings(VERIFIED_EMAILS="testproject.hooks.verified_emails")
    assert customers.claim_orders(user) == 1
    assert customers.claim_orders(user) == 0
    for order in (mine, other):
        order.refresh_from_db()
    assert mine.customer.user == user
    assert other.customer.user is None
    assert mine.events.get(kind="claimed").is_public is False


def test_log_in_claims_orders_and_merges_the_cart(client, guest_order, user, book, shop_settings):
    shop_settings(VERIFIED_EMAILS="testproject.hooks.verified_emails")
    order = guest_order(email="customer@example.org")
    client.post("/shop/add/", {"product": "978-1", "quantity": 2})
    assert client.get("/shop/cart/").content.decode() == "2 items"
    client.post("/shop/login/", {"username": "test-customer"})
    order.refresh_from_db()
    assert order.customer.user == user
    assert carts.find(customer=order.customer).items.get().quantity == 2
    assert client.get("/shop/cart/").content.decode() == "2 items"


@pytest.mark.parametrize(
    ("verified", "claimed"),
    [
        ("VICTIM@Live.Example", 1),
        ('"victim"@live.example', 1),
        ("victim@live.example.", 1),
        ("victim@\uff4cive.example", 1),
        ("v\u0131ctim@live.example", 0),
        ("V\u0130CT\u0130M@live.example", 0),
        ("\uff56ictim@live.example", 0),
        ("vict\u2170m@live.example", 0),
        ("vic\u200btim@live.example", 0),
        ("v\u0456ctim@live.example", 0),
        ("victim@live.example.org", 0),
    ],
)
def test_look_alike_claims_no_order(guest_order, user, shop_settings, monkeypatch, verified, claimed):
    """Also where a site's hook says that it verified such an address."""
    order = guest_order(email="victim@live.example")
    monkeypatch.setattr("testproject.hooks.verified_emails", lambda _user: [verified])
    shop_settings(VERIFIED_EMAILS="testproject.hooks.verified_emails")

    assert customers.claim_orders(user) == claimed

    order.refresh_from_db()
    assert order.customer.is_guest == (not claimed)


def test_address_of_a_punycode_domain_is_the_address_of_its_letters(guest_order, user, shop_settings, monkeypatch):
    guest_order(email="ann@b\u00fccher.example")
    monkeypatch.setattr("testproject.hooks.verified_emails", lambda _user: ["Ann@xn--bcher-kva.example"])
    shop_settings(VERIFIED_EMAILS="testproject.hooks.verified_emails")

    assert customers.claim_orders(user) == 1


def test_stored_key_follows_the_address(user):
    guest = Customer.objects.create(email="Ann@Example.org")
    assert guest.email_key == "ann@example.org"
    customers.update(guest, email='"Bob"@example.org')
    guest.refresh_from_db()
    assert (guest.email, guest.email_key) == ('"Bob"@example.org', "bob@example.org")
    guest.email = "Eve@example.org"
    guest.save()
    assert Customer.objects.get(email_key="eve@example.org") == guest
    customers.anonymise(guest)
    guest.refresh_from_db()
    assert guest.email_key == ""


def test_command_anonymises_every_spelling(guest_order):
    lifecycle.cancel(guest_order(email="Ann@B\u00fccher.example").pk)
    kept = guest_order(email="\u00e5nn@example.org".replace("\u00e5", "a"))
    call_command("anonymise_customer", '"ann"@xn--bcher-kva.example', stdout=StringIO())
    assert [order.email for order in Order.objects.order_by("pk")] == ["", kept.email]


def test_command_reports_addresses_that_collide(django_user_model, capsys):
    django_user_model.objects.create(username="a", email="ann@example.org")
    django_user_model.objects.create(username="b", email="bob@example.org")
    call_command("check_email_addresses")
    assert "All addresses are different" in capsys.readouterr().out

    for name, email in [
        ("c", "Ann@Example.org"),
        ("d", '"ann"@example.org'),
        ("e", "b\uff4fb@example.org"),
        ("f", "eve@localhost"),
        ("g", ""),
    ]:
        django_user_model.objects.create(username=name, email=email)
    with pytest.raises(CommandError, match="Found 4"):
        call_command("check_email_addresses")

    eve = django_user_model.objects.get(username="f")
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2].partition(":")[0] for line in lines] == [
        "the same address",
        "the same address",
        "It could be mistaken for another address",
        f"Write the part after the @ in full, such as example.org. 'eve@localhost' ({eve.pk})",
    ]
    assert "'Ann@Example.org'" in lines[0]
    assert "'\"ann\"@example.org'" in lines[0]


def test_command_checks_any_column(django_user_model, capsys):
    """Of customers, two guests may have one address; two users may not."""
    django_user_model.objects.create(username="a", first_name="ann@example.org")
    django_user_model.objects.create(username="b", first_name="ann@EXAMPLE.org")
    Customer.objects.create(email="ann@example.org")
    Customer.objects.create(email="ann@EXAMPLE.org")
    label = django_user_model._meta.label

    call_command("check_email_addresses", "shop_orders.Customer.email")
    with pytest.raises(CommandError, match="Found 1"):
        call_command("check_email_addresses", f"{label}.first_name")
    for wrong in ("shop_orders.Customer.mail", "shop_orders.Nothing.email", "email"):
        with pytest.raises(CommandError, match="There is no field"):
            call_command("check_email_addresses", wrong)


HOME = {"line1": "Moi Avenue 1", "city": "Nairobi", "country": "KE"}


def test_addresses_are_added_one_by_one_and_one_stays_the_default(customer):
    home = customers.save_address(customer, HOME)
    office = customers.save_address(customer, {**HOME, "line1": "Harbour Road 2", "is_default": True})
    customers.save_address(customer, {**HOME, "line1": "Moi Avenue 3"}, public_id=home.public_id)
    customers.save_address(customer, {**HOME, "line1": "Moi Avenue 3"})  # it is there already

    assert [(row.line1, row.is_default) for row in customer.addresses.all()] == [
        ("Harbour Road 2", True),
        ("Moi Avenue 3", False),
    ]
    customers.delete_address(customer, office.public_id)
    customers.delete_address(customer, office.public_id)
    assert [(row.line1, row.is_default) for row in customer.addresses.all()] == [("Moi Avenue 3", True)]


def test_address_book_has_one_limit(customer):
    rows = [{**HOME, "line1": f"Moi Avenue {number}"} for number in range(customers.MAX_ADDRESSES + 1)]
    with pytest.raises(InvalidAddress, match="at most 20"):
        customers.set_addresses(customer, rows)
    assert customer.addresses.count() == 0

    customers.set_addresses(customer, rows[:-1])
    with pytest.raises(InvalidAddress, match="at most 20"):
        customers.save_address(customer, rows[-1])
    assert customer.addresses.count() == customers.MAX_ADDRESSES


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_addresses_that_are_saved_at_once_are_all_kept(customer):
    def save(number):
        try:
            return customers.save_address(customer, {**HOME, "line1": f"Moi Avenue {number}", "is_default": True})
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(8)))
    assert customer.addresses.count() == 8
    assert customer.addresses.filter(is_default=True).count() == 1
