"""No public function lets a text reach the database that a column cannot hold: it raises a documented error."""

import inspect
from contextlib import suppress
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from shop_orders import carts, checkout, customers, lifecycle, payments
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import Customer, IncomingPayment, Order, OrderEvent, Payment, ProviderEvent, Refund, Shipment
from shop_orders.payment_providers import IncomingPaymentEvent, PaymentEvent, PaymentState

pytestmark = pytest.mark.django_db

ADDRESS = {"name": "Test Customer", "line1": "1 Test Road", "city": "Nairobi", "country": "KE"}
LONG = "x" * 10_000
TEXTS = {"long": LONG, "NUL": "a\0b", "surrogate": "a\ud800b", "long address": f"{'x' * 500}@example.org"}


@pytest.fixture
def act(place, book, customer, memory_provider, guest_order):
    """``act(name, parameter, text)`` calls a public function with the text, where it otherwise would succeed."""

    def cart():
        found, _token = carts.find_or_open(customer=customer)
        carts.add_item(found, book.isbn, 1)
        return found

    def order():
        return place(provider="memory").pk

    def processed():
        pk = place().pk
        lifecycle.start_processing(pk)
        return pk

    def shipped():
        pk = processed()
        lifecycle.ship(pk)
        return pk

    def paid():
        payment = payments.start(order())
        return payments.apply_state(payment.pk, PaymentState(status="captured", captured=Decimal(25)))

    def undecided():
        (refund,) = payments.queue_refund(paid().order_id, amount=Decimal(5))
        Refund.objects.update(status="pending", error="It cannot be asked about.")
        return refund.pk

    def disputed():
        payment = paid()
        held = {"provider": "memory", "provider_event_id": f"d-{payment.pk}", "kind": "disputed", "outcome": "held"}
        ProviderEvent.objects.create(payment=payment, **held)
        return payment.pk

    def incoming():
        receipt = f"R{IncomingPayment.objects.count()}"
        return IncomingPayment.objects.create(provider="memory", receipt=receipt, amount=1, currency="KES").pk

    calls = {
        "carts.add_item": lambda ref="978-1", **names: carts.add_item(cart(), ref, **names),
        "carts.add_to_cart": lambda ref="978-1", **names: carts.add_to_cart(ref, **names),
        "carts.add_and_view": lambda ref="978-1", **names: carts.add_and_view(
            carts.contents(user=customer.user), ref, **names
        ),
        "carts.by_token": carts.by_token,
        "carts.contents": lambda token: carts.contents(token=token),
        "carts.hash_token": carts.hash_token,
        "carts.view": lambda **names: carts.view(cart(), **names),
        "carts.set_quantity": lambda ref: carts.set_quantity(cart(), ref, 1),
        "carts.remove_item": lambda ref: carts.remove_item(cart(), ref),
        "carts.set_line_quantity": lambda line: carts.set_line_quantity(cart(), line, 1),
        "carts.remove_line": lambda line: carts.remove_line(cart(), line),
        "carts.find": lambda token: carts.find(token=token),
        "carts.find_or_open": lambda token: carts.find_or_open(token=token),
        "carts.merge": lambda token: carts.merge(token, customer=customer),
        "carts.agree_to_reminder": lambda email: carts.agree_to_reminder(cart(), email=email),
        "carts.erase_reminders": lambda addresses: carts.erase_reminders([addresses]),
        "checkout.place_order": lambda **names: checkout.place_order(cart(), **names),
        "checkout.preview": lambda **names: checkout.preview(cart(), **names),
        "customers.update": lambda **names: customers.update(customer, **names),
        "lifecycle.ship": lambda quantities=None, **names: lifecycle.ship(processed(), quantities=quantities, **names),
        "lifecycle.cancel": lambda **names: lifecycle.cancel(order(), **names),
        "lifecycle.restock": lambda quantities=None, **names: lifecycle.restock(
            shipped(), quantities or {book.isbn: 1}, **names
        ),
        "lifecycle.cancel_units": lambda quantities=None, **names: lifecycle.cancel_units(
            processed(), quantities or {book.isbn: 1}, **names
        ),
        "lifecycle.set_state": lambda state: lifecycle.set_state(order(), state),
        "lifecycle.add_note": lambda **names: lifecycle.add_note(order(), **names),
        "payments.start": lambda **names: payments.start(order(), **names),
        "payments.record_payment": lambda **names: payments.record_payment(place(provider="bank").pk, **names),
        "payments.refund": lambda **names: payments.refund(paid().order_id, amount=Decimal(1), **names),
        "payments.queue_refund": lambda **names: payments.queue_refund(paid().order_id, amount=Decimal(1), **names),
        "payments.record_provider_refund": lambda **names: payments.record_provider_refund(
            paid().pk, amount=Decimal(1), **names
        ),
        "payments.resolve_dispute": lambda **names: payments.resolve_dispute(
            disputed(), amount=Decimal(1), **{"reason": "Seen there", **names}
        ),
        "payments.resolve_refund": lambda **names: payments.resolve_refund(undecided(), succeeded=True, **names),
        "payments.dismiss_incoming": lambda **names: payments.dismiss_incoming(incoming(), **names),
    }

    def call(name, parameter, text):
        value = {text: 1} if parameter in ("quantities", "lines", "restock", "cancel") else text
        value = {text: text} if parameter == "options" else value
        return calls[name](**{parameter: value})

    call.names = set(calls)
    return call


ELSEWHERE = {
    "lifecycle.allowed": "reads no database",
    "payments.provider_choices": "reads no database",
    "payments.apply_event": "below, by the fields of its event",
    "payments.receive": "below, by the fields of its event",
    "lifecycle.set_payment_status": "its texts are those of the package",
    "lifecycle.return_to_stock": "called by other actions",
    "lifecycle.units_of": "called by other actions",
    "lifecycle.cancel_locked": "called by other actions",
    "lifecycle.cancel_refunded_units": "called by queue_refund",
    "lifecycle.units_to_cancel": "called by queue_refund",
    "payments.add_data": "values of a provider",
    "payments.apply_state": "values of a provider",
}
MODULES = {"carts": carts, "checkout": checkout, "customers": customers, "lifecycle": lifecycle, "payments": payments}


def parameters():
    """``(function, parameter)`` of every public function that takes a text, or texts by the name of products."""
    found = []
    for module_name, module in MODULES.items():
        names = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
        for name in sorted(names):
            function = getattr(module, name)
            if not inspect.isfunction(function) or not function.__module__.startswith(module.__name__):
                continue
            found += [
                (f"{module_name}.{name}", parameter.name)
                for parameter in inspect.signature(function).parameters.values()
                if "str" in str(parameter.annotation) and parameter.kind != parameter.VAR_KEYWORD
            ]
    return [row for row in found if row[0] not in ELSEWHERE]


TRIED = [
    *parameters(),
    *(("customers.update", name) for name in customers.FIELDS),
]
NOT_TEXT = {
    ("checkout.place_order", "shipping_address"),
    ("checkout.place_order", "billing_address"),
    ("checkout.preview", "shipping_address"),
    ("carts.view", "shipping_address"),
    ("customers.set_addresses", "addresses"),
    ("customers.clean_address", "data"),
    ("customers.save_address", "data"),
}
"""Mappings of texts, which have tests of their own below."""


@pytest.mark.parametrize(("name", "parameter"), [row for row in TRIED if row not in NOT_TEXT])
def test_text_that_cannot_be_stored_is_refused(act, name, parameter):
    for text in TEXTS.values():
        with suppress(ShopOrdersError):
            act(name, parameter, text)
    for model in (Customer, Order, Payment, Refund, Shipment, IncomingPayment, OrderEvent):
        for row in model.objects.all():
            for column in model._meta.concrete_fields:
                value = getattr(row, column.attname)
                if isinstance(value, str):
                    assert "\0" not in value
                    assert column.max_length is None or len(value) <= column.max_length, (name, column)


@pytest.mark.parametrize("field", ["name", "email", "phone"])
def test_contact_that_cannot_be_stored_is_refused(act, field):
    for text in TEXTS.values():
        values = {"email": "customer@example.org", field: text}
        with pytest.raises(ShopOrdersError) as caught:
            act("checkout.place_order", "contact", checkout.Contact(**values))
        assert caught.value.code in ("invalid", "invalid_phone")
    assert Order.objects.count() == 0


@pytest.mark.parametrize("field", customers.ADDRESS_FIELDS)
def test_address_that_cannot_be_stored_is_refused(act, customer, field):
    for text in TEXTS.values():
        address = {**ADDRESS, field: text}
        for parameter in ("shipping_address", "billing_address"):
            with pytest.raises(ShopOrdersError) as caught:
                act("checkout.place_order", parameter, address)
            assert caught.value.code in ("invalid_address", "invalid_phone")
        with pytest.raises(ShopOrdersError):
            customers.set_addresses(customer, [address])
        with pytest.raises(ShopOrdersError):
            customers.save_address(customer, address)
    assert (Order.objects.count(), customer.addresses.count()) == (0, 0)


@pytest.mark.parametrize("kind", TEXTS)
def test_label_that_cannot_be_stored_is_refused(customer, kind):
    with pytest.raises(ShopOrdersError):
        customers.set_addresses(customer, [{**ADDRESS, "label": TEXTS[kind]}])


@pytest.mark.parametrize("field", ["event_id", "reference", "payment_id", "refund_id", "refund_reference", "receipt"])
def test_event_that_cannot_be_stored_is_refused(memory_provider, field):
    for text in TEXTS.values():
        event = PaymentEvent(**{"event_id": "evt-1", "kind": "captured", field: text})
        with pytest.raises(ShopOrdersError) as caught:
            payments.apply_event("memory", event)
        assert caught.value.code == "invalid_webhook"


@pytest.mark.parametrize("kind", ["NUL", "surrogate"])
def test_data_that_cannot_be_stored_is_refused(memory_provider, kind):
    event = PaymentEvent(event_id="evt-1", kind="captured", data={"notes": [{"text": TEXTS[kind]}]})
    with pytest.raises(ShopOrdersError):
        payments.apply_event("memory", event)


@pytest.mark.parametrize("kind", ["long", "NUL", "surrogate"])
def test_incoming_money_that_cannot_be_stored_is_refused(memory_provider, kind):
    event = IncomingPaymentEvent(receipt=TEXTS[kind], amount=Decimal(1), currency="KES")
    with pytest.raises(ShopOrdersError):
        payments.receive("memory", event)


def test_account_with_a_long_name_is_a_customer(shop_settings):
    shop_settings(NEW_CUSTOMER="testproject.hooks.endless_customer")
    user = get_user_model().objects.create_user("endless", "e@example.org", "pw")
    made = customers.for_user(user)
    assert (len(made.first_name), made.last_name, made.email) == (150, "ab", "")


def test_every_function_is_tried(act):
    known = {name for name, _parameter in TRIED}
    assert known - act.names <= {"customers.set_addresses", "customers.clean_address", "customers.save_address"}
    assert set(ELSEWHERE) & act.names == set()
