"""Money that customers send to a paybill or till by hand, against a server that follows Daraja's documentation."""

import hashlib
import json
from datetime import timedelta
from decimal import Decimal
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from shop_orders import carts, checkout, customers, lifecycle, payments
from shop_orders.exceptions import NotPayable, PaymentDeclined, PaymentNotPossible
from shop_orders.models import IncomingPayment, Order, Payment, Refund
from shop_orders.payment_providers import payment_provider
from shop_orders.payments import candidates, incoming
from test_stripe_and_mpesa import MPESA, MPESA_OPTIONS, call_back, receipt_of
from testproject.books.models import Book
from testproject.providers import FakeDaraja

pytest.importorskip("requests", reason="needs the extra [mpesa]")

from shop_orders.payment_providers import Mpesa

pytestmark = pytest.mark.django_db
PHONE = checkout.Contact(phone="0733 000 111")
SECRET = MPESA["webhook_secret"]
PAID = f"/pay/webhooks/mpesa/{SECRET}-paid/"
ASKED = {"initiator": "shop", "initiator_secret": "encrypted", "site_url": "https://shop.example.org"}


@pytest.fixture(scope="module")
def server():
    with FakeDaraja().running() as running:
        yield running


@pytest.fixture
def daraja(server):
    Mpesa._tokens.clear()
    url = server.url
    server.__dict__.clear()
    server.__init__()
    server.url = url
    yield server
    Mpesa._tokens.clear()


@pytest.fixture
def order(place, shop_settings, daraja, book):
    book.sale_price = 12
    book.save()
    MPESA_OPTIONS.clear()
    MPESA_OPTIONS.update(MPESA, api_base=daraja.url, **ASKED)
    backend = "shop_orders.payment_providers.Mpesa"
    shop_settings(PAYMENT_PROVIDERS={"mpesa": {"BACKEND": backend, "OPTIONS": MPESA_OPTIONS}})
    return place(provider="mpesa", quantity=1, contact=PHONE)


@pytest.fixture
def send(client, daraja):
    """Send money by hand; the confirmation arrives, and Safaricom responds to our query about it, unless ``responds``
    is False."""

    def call(receipt, amount, *, account="", responds=True, status=200, **changes):
        body = daraja.send_by_hand(receipt, amount, account=account, **changes)
        response = client.post(PAID, json.dumps(body), "application/json")
        assert response.status_code == status
        if responds and daraja.questions:
            respond(receipt)
        return IncomingPayment.objects.filter(receipt=receipt).first()

    def respond(receipt, *, status=200, **changes):
        question = next(row for row in reversed(daraja.questions) if row["TransactionID"] == receipt)
        path, body = daraja.answer_question(question, **changes)
        assert client.post(path, json.dumps(body), "application/json").status_code == status

    call.respond = respond
    return call


def state(row):
    row.refresh_from_db()
    return row.status, row.reason


def account_of(order):
    order.refresh_from_db()
    return order.status, order.payment_status, order.paid_amount, order.amount_due, order.refund_due


def push(order):
    return payments.start(order.pk, phone="0712 345 678", base_url="https://shop.example.org")


PAID_ONCE = ("confirmed", "paid", 12, 0, 0)
UNPAID = ("pending", "unpaid", 0, 12, 0)


@pytest.mark.parametrize("typed", ["{}", " {} ", "lower {}", "no dash {}", "spaces {}"])
def test_money_with_the_order_number_pays_the_order(order, send, typed):
    number = order.number
    spellings = {
        "{}": number,
        " {} ": f" {number} ",
        "lower {}": number.lower(),
        "no dash {}": number.replace("-", ""),
        "spaces {}": " ".join(number.lower()),
    }
    row = send("RKTQDM7W6S", "12.00", account=spellings[typed])
    assert state(row) == ("recorded", "")
    assert account_of(order) == PAID_ONCE
    payment = Payment.objects.get()
    assert (payment.receipt, payment.provider_reference, payment.status) == ("RKTQDM7W6S", "RKTQDM7W6S", "captured")
    assert (row.payment_id, row.payer_name, row.payer_phone) == (payment.pk, "WANJIRU", "2547 ***** 678")
    assert row.paid_at.isoformat() == "2026-11-30T06:15:03+00:00"


def test_look_alike_characters_are_folded(order):
    Order.objects.update(number="O0-1IL-8")
    assert [row.number for row in candidates.named_orders("oo1118")] == ["O0-1IL-8"]
    assert candidates.named_orders(" - ") == candidates.named_orders("") == []


def test_long_number_is_found_by_the_part_that_a_push_sends(order):
    Order.objects.update(number="SHOP-2026-000123")
    assert [row.number for row in candidates.named_orders("SHOP-2026-00")] == ["SHOP-2026-000123"]


def test_repeated_reports_change_nothing(order, send):
    for _time in range(3):
        row = send("RKTQDM7W6S", "12.00", account=order.number)
        send.respond("RKTQDM7W6S")
    assert account_of(order) == PAID_ONCE
    assert (Payment.objects.count(), IncomingPayment.objects.count(), state(row)) == (1, 1, ("recorded", ""))


def test_money_is_held_until_safaricom_confirms_it(order, send, daraja):
    row = send("RKTQDM7W6S", "12.00", account=order.number, responds=False)
    assert state(row) == ("held", "unconfirmed")
    assert account_of(order) == UNPAID
    (question,) = daraja.questions
    assert (question["TransactionID"], question["PartyA"], question["IdentifierType"]) == ("RKTQDM7W6S", "174379", "4")
    assert question["ResultURL"].startswith(f"https://shop.example.org/pay/webhooks/mpesa/{SECRET}-result-RKTQDM7W6S-")
    send.respond("RKTQDM7W6S")
    assert account_of(order) == PAID_ONCE


def test_confirmed_values_replace_the_reported_ones(order, send, daraja):
    row = send("RKTQDM7W6S", "12.00", account=order.number, responds=False)
    send.respond("RKTQDM7W6S", Amount=1)
    assert state(row) == ("held", "other_amount")
    assert (row.amount, account_of(order)) == (1, UNPAID)


@pytest.mark.parametrize(
    "changes",
    [{"TransactionStatus": "Cancelled"}, {"CreditPartyName": "600000 - Another Ltd"}, {"CreditPartyName": ""}],
)
def test_transaction_that_is_not_ours_is_refuted(order, send, changes):
    row = send("RKTQDM7W6S", "12.00", account=order.number, responds=False)
    send.respond("RKTQDM7W6S", **changes)
    assert state(row) == ("held", "refuted")
    assert account_of(order) == UNPAID
    payments.reconcile()
    assert state(row) == ("held", "refuted")


def test_forged_calls_record_nothing(order, send, client, daraja):
    """Somebody who knows the webhook secret can report money, but cannot confirm it."""
    forged = daraja.send_by_hand("FORGED0001", "12.00", account=order.number)
    daraja.by_hand.clear()
    wrong = PAID.replace(SECRET, "another-random-text")
    assert client.post(wrong, json.dumps(forged), "application/json").status_code == 400
    assert not IncomingPayment.objects.exists()
    assert client.post(PAID, json.dumps(forged), "application/json").status_code == 200
    send.respond("FORGED0001")
    row = IncomingPayment.objects.get()
    assert state(row) == ("held", "unconfirmed")
    daraja.by_hand["FORGED0001"] = ("12.00", "174379")
    path, body = daraja.answer_question(daraja.questions[-1])
    for guess in (path.replace(path[-12:-1], "0" * 11), f"/pay/webhooks/mpesa/{SECRET}-result-FORGED0001-/"):
        assert client.post(guess, json.dumps(body), "application/json").status_code == 400
    for_another = path.replace("FORGED0001", "FORGED0002")
    assert client.post(for_another, json.dumps(body), "application/json").status_code == 400
    assert state(row) == ("held", "unconfirmed")
    assert account_of(order) == UNPAID


@pytest.mark.parametrize(
    "changes",
    [
        {"TransAmount": "NaN"},
        {"TransAmount": "-5"},
        {"TransAmount": "0"},
        {"TransAmount": "1e30"},
        {"TransAmount": None},
        {"TransID": ""},
        {"TransID": "x" * 200},
        {"TransID": "with a blank"},
        {"BusinessShortCode": "600000"},
        {"BillRefNumber": "a\0b"},
        {"BillRefNumber": "\ud800"},
    ],
)
def test_unusable_reports_are_refused(order, send, client, daraja, changes):
    body = daraja.send_by_hand("RKTQDM7W6S", "12.00", account=order.number) | changes
    assert client.post(PAID, json.dumps(body), "application/json").status_code == 400
    for nonsense in (b"", b"[]", b"null", b'{"TransID": 5}', b"[" * 100_000):
        assert client.post(PAID, nonsense, "application/json").status_code == 400
    assert not IncomingPayment.objects.exists()


def test_report_from_before_there_was_any_is_kept_without_its_time(order, send):
    assert send("RKTQDM7W6S", "12.00", TransTime="00010101000000").paid_at is None


@pytest.mark.parametrize(
    ("length", "status"),
    [("abc", 400), ("-1", 400), (" 2 ", 400), ("\u0967", 400), ("9" * 5000, 413), ("262145", 413)],
)
def test_call_with_an_odd_length_is_refused(order, client, length, status):
    assert client.generic("POST", PAID, "{}", "application/json", CONTENT_LENGTH=length).status_code == status


@pytest.mark.parametrize(
    ("amount", "account", "reason"),
    [("11.00", True, "other_amount"), ("13.00", True, "other_amount"), ("12.00", False, "no_order")],
)
def test_money_that_does_not_match_is_held_with_candidates(order, send, amount, account, reason):
    row = send("RKTQDM7W6S", amount, account=order.number if account else "rent")
    assert state(row) == ("held", reason)
    assert account_of(order) == UNPAID
    (candidate,) = candidates.of(row)
    assert candidate.order == order
    assert (candidate.matches_number, candidate.matches_amount) == (account, not account)
    kinds = list(order.events.filter(is_public=False).values_list("kind", flat=True))
    assert kinds == (["incoming_held"] if account else [])


def test_till_payment_is_held_with_the_unpaid_orders_of_its_amount(order, send, place):
    Order.objects.filter(pk=order.pk).update(phone="+254712345678")
    other = place(provider="mpesa", quantity=1, contact=PHONE)
    row = send("RKTQDM7W6S", "12.00", phone="2547 ***** 678")
    assert state(row) == ("held", "no_order")
    assert [(found.order, found.matches_phone) for found in candidates.of(row)] == [(order, True), (other, False)]
    assert [found.matches for found in candidates.of(row)] == [["amount", "phone"], ["amount"]]
    assert payments.assign_incoming(row.pk, order.pk).order == order
    assert account_of(order) == PAID_ONCE
    assert account_of(other) == UNPAID


def test_wrong_amount_to_a_till_is_held_with_the_unpaid_orders_of_its_phone(order, send, place):
    """A till takes no order number."""
    Order.objects.filter(pk=order.pk).update(phone="+254712345678")
    place(provider="mpesa", quantity=1, contact=PHONE)
    row = send("RKTQDM7W6S", "5.00", phone="2547 ***** 678")
    assert [(found.order, found.matches) for found in candidates.of(row)] == [(order, ["phone"])]
    payments.assign_incoming(row.pk, order.pk)
    order.refresh_from_db()
    assert (order.paid_amount, order.amount_due) == (5, 7)


@pytest.mark.parametrize(
    ("reported", "fits"),
    [
        ("254712345678", True),
        ("2547 ***** 678", True),
        ("25471****678", True),
        (hashlib.sha256(b"254712345678").hexdigest(), True),
        (hashlib.sha256(b"254712345679").hexdigest(), False),
        ("2547 ***** 679", False),
        ("254712345679", False),
        ("*****", False),
        ("", False),
    ],
)
def test_masked_phones_are_compared(reported, fits):
    assert candidates.may_be_same_phone("+254712345678", reported) is fits


def test_staff_record_held_money_once(order, send, place, django_user_model):
    user = django_user_model.objects.create(username="staff")
    other = place(provider="mpesa", quantity=1, contact=PHONE)
    row = send("RKTQDM7W6S", "15.00", account=order.number)
    payment = payments.assign_incoming(row.pk, order.pk, by=user)
    assert payments.assign_incoming(row.pk, order.pk, by=user) == payment
    for act in (
        lambda: payments.assign_incoming(row.pk, other.pk),
        lambda: payments.dismiss_incoming(row.pk, comment="wrong"),
    ):
        with pytest.raises(NotPayable):
            act()
    assert account_of(order) == ("confirmed", "paid", 15, 0, 3)
    assert account_of(other) == UNPAID
    row.refresh_from_db()
    assert (row.status, row.actor, row.payment) == ("recorded", user, payment)


def test_dismissed_money_is_kept_and_counts_nowhere(order, send):
    row = send("RKTQDM7W6S", "11.00", account=order.number)
    for _time in range(2):
        payments.dismiss_incoming(row.pk, comment="Sent back in the portal")
    assert (state(row)[0], row.comment) == ("dismissed", "Sent back in the portal")
    send.respond("RKTQDM7W6S")
    with pytest.raises(NotPayable):
        payments.assign_incoming(row.pk, order.pk)
    assert (account_of(order), Payment.objects.count()) == (UNPAID, 0)
    assert order.events.filter(kind="incoming_dismissed").count() == 1


def test_late_money_for_a_cancelled_order_is_held_and_can_be_recorded(order, send):
    lifecycle.cancel(order.pk)
    row = send("RKTQDM7W6S", "12.00", account=order.number)
    assert state(row) == ("held", "not_payable")
    payments.assign_incoming(row.pk, order.pk)
    order.refresh_from_db()
    assert (order.status, order.paid_amount, order.refund_due) == ("cancelled", 12, 12)


def test_order_with_held_money_does_not_expire(order, send):
    row = send("RKTQDM7W6S", "11.00", account=order.number)
    Order.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    assert payments.expire_due() == 0
    payments.dismiss_incoming(row.pk, comment="Sent back")
    assert payments.expire_due() == 1


# The same money, reported as a push and as an incoming payment


def test_confirmation_after_the_callback_is_the_same_money(order, send, client, daraja):
    payment = push(order)
    daraja.results["ws_CO_0"] = "0"
    call_back(client, payment, "ws_CO_0")
    assert account_of(order) == PAID_ONCE
    row = send(receipt_of("ws_CO_0"), "12.00", account=order.number)
    assert (state(row), row.payment) == (("duplicate", ""), payment)
    assert (account_of(order), Payment.objects.count()) == (PAID_ONCE, 1)


@pytest.mark.parametrize("is_confirmed", [True, False])
def test_confirmation_before_the_callback_is_the_same_money(order, send, client, daraja, is_confirmed):
    payment = push(order)
    row = send(receipt_of("ws_CO_0"), "12.00", account=order.number, responds=is_confirmed)
    assert state(row) == ("held", "request_open" if is_confirmed else "unconfirmed")
    daraja.results["ws_CO_0"] = "0"
    call_back(client, payment, "ws_CO_0")
    assert (state(row), row.payment) == (("duplicate", ""), payment)
    assert (account_of(order), Payment.objects.count()) == (PAID_ONCE, 1)


def test_push_found_by_the_status_query_holds_the_confirmation_until_the_callback(order, send, client, daraja):
    payment = push(order)
    daraja.results["ws_CO_0"] = "0"
    row = send(receipt_of("ws_CO_0"), "12.00", account=order.number)
    assert state(row) == ("held", "may_be_recorded")
    assert account_of(order) == PAID_ONCE
    payments.reconcile()
    assert account_of(order) == PAID_ONCE
    call_back(client, payment, "ws_CO_0")
    assert (state(row), account_of(order)) == (("duplicate", ""), PAID_ONCE)


def test_money_by_hand_after_a_push_that_failed_pays_the_order(order, send, client, daraja):
    payment = push(order)
    row = send("RKTQDM7W6S", "12.00", account=order.number)
    assert state(row) == ("held", "request_open")
    daraja.results["ws_CO_0"] = "1037"
    call_back(client, payment, "ws_CO_0", code=1037)
    assert (state(row), account_of(order)) == (("recorded", ""), PAID_ONCE)


def test_money_waits_for_a_push_whose_callback_is_lost_until_the_job_queries_it(order, send, daraja):
    push(order)
    row = send("RKTQDM7W6S", "12.00", account=order.number)
    daraja.results["ws_CO_0"] = "1037"
    IncomingPayment.objects.update(next_attempt_at=timezone.now())
    assert payments.reconcile() >= 1
    assert (state(row), account_of(order)) == (("recorded", ""), PAID_ONCE)


def test_two_payments_are_both_counted(order, send, client, daraja):
    payment = push(order)
    by_hand = send("RKTQDM7W6S", "12.00", account=order.number)
    daraja.results["ws_CO_0"] = "0"
    call_back(client, payment, "ws_CO_0")
    twin = send(receipt_of("ws_CO_0"), "12.00", account=order.number)
    assert (state(twin)[0], account_of(order)) == ("duplicate", PAID_ONCE)
    IncomingPayment.objects.update(next_attempt_at=timezone.now())
    payments.reconcile()
    assert state(by_hand) == ("held", "not_payable")
    payments.assign_incoming(by_hand.pk, order.pk)
    assert account_of(order) == ("confirmed", "paid", 24, 0, 12)


def test_callback_of_money_that_staff_recorded_by_its_receipt_is_not_counted(order, send, client, daraja):
    payment = push(order)
    row = send(receipt_of("ws_CO_0"), "12.00", account=order.number, responds=False)
    payments.assign_incoming(row.pk, order.pk)
    assert account_of(order) == PAID_ONCE
    daraja.results["ws_CO_0"] = "0"
    for _time in range(2):
        call_back(client, payment, "ws_CO_0")
    payment.refresh_from_db()
    assert (payment.status, payment.captured_amount) == ("cancelled", 0)
    assert account_of(order) == PAID_ONCE
    assert order.events.filter(kind="recorded_already").count() == 1


def test_push_found_by_the_status_query_after_staff_recorded_its_money_is_held(order, send, client, daraja):
    payment = push(order)
    row = send(receipt_of("ws_CO_0"), "12.00", account=order.number, responds=False)
    payments.assign_incoming(row.pk, order.pk)
    daraja.results["ws_CO_0"] = "0"
    payments.refresh(payment)
    payment.refresh_from_db()
    assert (payment.status, receipt_of("ws_CO_0") in payment.error) == ("held", True)
    assert account_of(order) == PAID_ONCE
    call_back(client, payment, "ws_CO_0")
    payment.refresh_from_db()
    assert (payment.status, account_of(order)) == ("cancelled", PAID_ONCE)


@pytest.mark.parametrize("is_refunded", [False, True])
def test_money_that_was_counted_twice_is_corrected_when_the_receipt_shows_it(order, send, client, daraja, is_refunded):
    payment = push(order)
    daraja.results["ws_CO_0"] = "0"
    payments.refresh(payment)
    row = send(receipt_of("ws_CO_0"), "12.00", account=order.number)
    payments.assign_incoming(row.pk, order.pk)
    assert account_of(order) == ("confirmed", "paid", 24, 0, 12)
    if is_refunded:
        payments.refund(order.pk, amount=Decimal(24))
    call_back(client, payment, "ws_CO_0")
    order.refresh_from_db()
    if is_refunded:
        assert order.paid_amount == 24
        assert order.events.filter(kind="recorded_twice").count() == 1
    else:
        assert account_of(order) == PAID_ONCE
        assert Refund.objects.count() == 0


def test_one_receipt_cannot_be_on_two_payments(order, send):
    send("RKTQDM7W6S", "12.00", account=order.number)
    values = {"order": order, "provider": "mpesa", "amount": 12, "currency": "KES"}
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(**values, receipt="RKTQDM7W6S")
    with pytest.raises(IntegrityError), transaction.atomic():
        IncomingPayment.objects.create(provider="mpesa", receipt="RKTQDM7W6S", amount=1, currency="KES")


# The queries to Safaricom


@pytest.mark.parametrize("missing", ["initiator", "initiator_secret", "site_url"])
def test_without_an_initiator_staff_decide(order, send, daraja, monkeypatch, missing):
    monkeypatch.setitem(MPESA_OPTIONS, missing, "")
    row = send("RKTQDM7W6S", "12.00", account=order.number)
    assert (state(row), daraja.questions) == (("held", "unconfirmed"), [])
    payments.assign_incoming(row.pk, order.pk)
    assert account_of(order) == PAID_ONCE


class ProcessEnds(BaseException):
    """No handler of the app catches it."""


def test_confirmed_money_is_recorded_although_the_process_ended_before(order, send, daraja, monkeypatch):
    row = send("RKTQDM7W6S", "12.00", account=order.number, responds=False)
    with monkeypatch.context() as patch:
        patch.setattr(incoming, "_consider", Mock(side_effect=ProcessEnds))
        with pytest.raises(ProcessEnds):
            send.respond("RKTQDM7W6S")
    assert (state(row), row.is_confirmed, account_of(order)) == (("held", ""), True, UNPAID)
    IncomingPayment.objects.update(next_attempt_at=timezone.now())
    assert payments.reconcile() == 1
    assert (state(row), account_of(order)) == (("recorded", ""), PAID_ONCE)


@pytest.mark.parametrize("error", [(503, "<html></html>"), (400, {"errorCode": "400.002.02"}), (200, {}), (401, "")])
def test_refused_query_is_repeated_later(order, send, daraja, error):
    daraja.error = error
    row = send("RKTQDM7W6S", "12.00", account=order.number)
    assert (state(row), daraja.questions) == (("held", "unconfirmed"), [])
    daraja.error = None
    payments.reconcile()
    assert daraja.questions == []
    IncomingPayment.objects.update(next_attempt_at=timezone.now())
    payments.reconcile()
    send.respond("RKTQDM7W6S")
    assert account_of(order) == PAID_ONCE


def test_queries_end_after_some_days(order, send, daraja):
    row = send("RKTQDM7W6S", "12.00", account=order.number, responds=False)
    for _run in range(21):
        IncomingPayment.objects.update(next_attempt_at=timezone.now())
        payments.reconcile()
    assert (len(daraja.questions), state(row)) == (20, ("held", "unconfirmed"))


# What staff see and do


@pytest.fixture
def staff_user(django_user_model):
    user = django_user_model.objects.create_user("test-staff", "staff@example.org", "pw", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="shop_orders"))
    return user


@pytest.fixture
def api(staff_user):
    client = Client(headers={"Authorization": f"Bearer user-{staff_user.pk}"})

    def call(path, body=None, status=200):
        url = f"/api/orders/staff/incoming-payments/{path}"
        response = client.get(url) if body is None else client.post(url, body, "application/json")
        assert response.status_code == status, response.content
        return response.json()

    return call


def test_staff_api_lists_money_with_candidates_and_records_it(order, send, api):
    row = send("RKTQDM7W6S", "12.00", account="rent")
    duplicate = send("RKTQDM7W6T", "12.00", account=order.number)
    (held,) = api("?status=held")["items"]
    assert (held["receipt"], held["reason"], held["payer_name"]) == ("RKTQDM7W6S", "no_order", "WANJIRU")
    assert [found["id"] for found in api("?limit=1")["items"]] == [str(duplicate.public_id)]
    assert [found["id"] for found in api(f"?limit=1&after={api('?limit=1')['next']}")["items"]] == [str(row.public_id)]
    assert api(f"{row.public_id}/")["candidates"] == []  # the other payment was recorded, so nothing is due
    recorded = api(f"{row.public_id}/assign/", {"order": order.number})
    assert (recorded["status"], recorded["order"]) == ("recorded", order.number)
    assert api(f"{row.public_id}/assign/", {"order": order.number}) == recorded
    assert api(f"{row.public_id}/dismiss/", {"comment": "x"}, status=409)["code"] == "not_payable"
    assert account_of(order)[2] == 24


def test_staff_api_shows_candidates(order, send, api):
    row = send("RKTQDM7W6S", "12.00")
    (found,) = api(f"{row.public_id}/")["candidates"]
    flags = {"matches_number": False, "matches_amount": True, "matches_phone": False}
    assert found == {"order": order.number, "amount_due": "12.00", **flags}


@pytest.mark.parametrize(
    ("missing", "path", "body"),
    [
        ("view_order", "", None),
        ("view_order", "{pk}/", None),
        ("refund_order", "{pk}/assign/", {"order": "x"}),
        ("refund_order", "{pk}/dismiss/", {"comment": "x"}),
    ],
)
def test_staff_api_requires_permissions(order, send, api, staff_user, missing, path, body):
    row = send("RKTQDM7W6S", "12.00", account="rent")
    staff_user.user_permissions.remove(Permission.objects.get(codename=missing))
    api(path.format(pk=row.public_id), body, status=403)
    assert state(row) == ("held", "no_order")


def test_staff_api_hides_the_payer_without_view_order(order, send, api, staff_user):
    row = send("RKTQDM7W6S", "12.00", account="rent")
    staff_user.user_permissions.remove(Permission.objects.get(codename="view_order"))
    response = api(f"{row.public_id}/assign/", {"order": order.number})
    assert (response["payer_name"], response["payer_phone"]) == ("", "")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("0/", None, 404),
        ("0/assign/", {"order": "x"}, 404),
        ("6f1c1d4e-0000-4000-8000-000000000000/", None, 404),
        ("{pk}/assign/", {"order": "no such"}, 404),
        ("{pk}/assign/", {"order": "a\u0000b"}, 422),
        ("{pk}/assign/", {}, 422),
        ("{pk}/dismiss/", {"comment": ""}, 422),
        ("?after=-1", None, 404),
    ],
)
def test_staff_api_refuses_wrong_input(order, send, api, path, body, status):
    row = send("RKTQDM7W6S", "12.00", account="rent")
    api(path.format(pk=row.public_id), body, status=status)
    assert state(row) == ("held", "no_order")


@pytest.fixture
def admin_page(client, staff_user):
    client.force_login(staff_user)

    def call(row, body=None):
        url = f"/admin/shop_orders/incomingpayment/{row.pk}/change/"
        response = client.get(url) if body is None else client.post(url, body, follow=True)
        return response.status_code, response.content.decode()

    return call


def test_admin_shows_held_money_and_records_it(order, send, admin_page, client, daraja):
    row = send("RKTQDM7W6S", "12.00", responds=False)
    status, page = admin_page(row)
    assert (status, order.number in page, "I have seen this money" in page) == (200, True, True)
    assert ("12.00 KES" in page, "12.0000" in page) == (True, False)
    for wrong in (
        {"decision": "assign", "number": order.number},
        {"decision": "assign", "number": "no such", "is_seen": "on"},
        {"decision": "dismiss"},
        {"decision": "other"},
    ):
        assert admin_page(row, wrong)[0] == 200
        assert (state(row)[0], account_of(order)) == ("held", UNPAID)
    for _time in range(2):
        status, page = admin_page(row, {"decision": "assign", "number": order.number, "is_seen": "on"})
        assert (status, "was recorded for the order" in page, "Record it for an order" in page) == (200, True, False)
    assert (state(row)[0], account_of(order)) == ("recorded", PAID_ONCE)
    page = client.get(f"/admin/shop_orders/order/{order.pk}/change/").content.decode()
    assert page.count("RKTQDM7W6S") >= 2
    assert "RKTQDM7W6S" in client.get("/admin/shop_orders/incomingpayment/?q=RKTQDM7W6S").content.decode()


def test_admin_dismisses_money(order, send, admin_page):
    row = send("RKTQDM7W6S", "11.00", account=order.number)
    assert "The money was dismissed." in admin_page(row, {"decision": "dismiss", "comment": "Sent back"})[1]
    assert (state(row)[0], row.comment) == ("dismissed", "Sent back")


def test_admin_requires_the_permission(order, send, admin_page, staff_user):
    row = send("RKTQDM7W6S", "12.00")
    staff_user.user_permissions.remove(Permission.objects.get(codename="refund_order"))
    assert "Record it for an order" not in admin_page(row)[1]
    assert admin_page(row, {"decision": "assign", "number": order.number})[0] == 403
    assert state(row)[0] == "held"


def test_anonymised_customer_leaves_no_payer(order, send):
    row = send("RKTQDM7W6S", "12.00", account=order.number)
    Order.objects.update(status="delivered")
    customers.anonymise(order.customer)
    row.refresh_from_db()
    assert (row.payer_name, row.payer_phone, row.account, row.amount) == ("", "", "", 12)


# Registering the URLs


def test_urls_are_registered(order, daraja, monkeypatch, capsys):
    provider = Mpesa(alias="mobile", **MPESA_OPTIONS)
    confirmation, validation = provider.register_webhooks(base_url="https://shop.example.org")
    assert daraja.registered["174379"] == {
        "ShortCode": "174379",
        "ResponseType": "Completed",
        "ConfirmationURL": confirmation,
        "ValidationURL": validation,
    }
    with pytest.raises(PaymentDeclined, match="already"):
        provider.register_webhooks(base_url="https://shop.example.org")


@pytest.mark.parametrize(
    ("alias", "url", "text"),
    [("mpesa", "https://shop.example.org", "mpesa"), ("mobile", "http://shop.example.org", "Invalid ValidationURL")],
)
def test_urls_that_safaricom_refuses_are_not_registered(order, daraja, shop_settings, alias, url, text):
    backend = "shop_orders.payment_providers.Mpesa"
    shop_settings(PAYMENT_PROVIDERS={alias: {"BACKEND": backend, "OPTIONS": MPESA_OPTIONS}})
    with pytest.raises(CommandError, match=text):
        call_command("register_webhooks", alias, "--url", url)
    assert daraja.registered == {}


def test_command_registers_and_masks_the_secret(order, daraja, shop_settings, capsys):
    backend = "shop_orders.payment_providers.Mpesa"
    shop_settings(PAYMENT_PROVIDERS={"mobile": {"BACKEND": backend, "OPTIONS": MPESA_OPTIONS}})
    call_command("register_webhooks", "mobile", "--url", "https://shop.example.org")
    out = capsys.readouterr().out
    assert "https://shop.example.org/pay/webhooks/mobile/" in out
    assert SECRET not in out
    with pytest.raises(CommandError, match="Unknown payment provider"):
        call_command("register_webhooks", "nobody", "--url", "https://shop.example.org")
    daraja.error = (503, "")
    with pytest.raises(CommandError, match="does not respond"):
        call_command("register_webhooks", "mobile", "--url", "https://shop.example.org")


def test_validation_is_accepted_and_stores_nothing(order, client, daraja):
    body = daraja.send_by_hand("RKTQDM7W6S", "12.00", account="rent")
    response = client.post(f"/pay/webhooks/mpesa/{SECRET}-check/", json.dumps(body), "application/json")
    assert response.json() == {"ResultCode": 0, "ResultDesc": "Accepted"}
    assert not IncomingPayment.objects.exists()


@pytest.mark.parametrize(("kind", "text"), [("paybill", "account number"), ("till", "till number 555111")])
def test_instructions_say_how_to_pay_by_hand(order, monkeypatch, daraja, kind, text):
    monkeypatch.setitem(MPESA_OPTIONS, "kind", kind)
    if kind == "till":
        monkeypatch.setitem(MPESA_OPTIONS, "till_number", "555111")
    payment = push(order)
    assert text in payment.instructions
    assert (order.number in payment.instructions) is (kind == "paybill")
    assert daraja.pushes[0]["PartyB"] == ("555111" if kind == "till" else "174379")
    assert daraja.pushes[0]["BusinessShortCode"] == "174379"
    assert payment_provider("mpesa").diagnose


def test_order_that_is_no_whole_shillings_is_refused_before_it_is_placed(order, place, book, client):
    Book.objects.update(sale_price=Decimal("12.50"))
    with pytest.raises(PaymentNotPossible, match="whole amounts of KES") as caught:
        place(provider="mpesa", quantity=1, contact=PHONE)
    cart, _token = carts.find_or_open(customer=order.customer)
    assert caught.value.extra == {
        "payment_provider": "mpesa",
        "needs": "whole_units",
        "fields": ["payment_provider"],
    }
    with pytest.raises(PaymentNotPossible, match="whole amounts of KES"):
        checkout.preview(cart, provider="mpesa")
    assert Order.objects.get() == order
    assert place(provider="mpesa", quantity=1, contact=PHONE).total == 25


@pytest.mark.parametrize(("price", "currency"), [("12.50", "KES"), ("12", "UGX")])
def test_order_that_is_no_whole_shillings_is_paid_another_way(order, place, shop_settings, settings, price, currency):
    bank = {"bank": {"BACKEND": "shop_orders.payment_providers.BankTransfer", "OPTIONS": {"account": "KE12"}}}
    providers = {**bank, **settings.SHOP_ORDERS["PAYMENT_PROVIDERS"]}
    shop_settings(PAYMENT_PROVIDERS=providers, CURRENCY=currency)
    Book.objects.update(sale_price=Decimal(price))
    other = place(provider="bank", quantity=1)
    assert [way.alias for way in payments.providers_for(other)] == ["bank"]
    with pytest.raises(PaymentNotPossible, match=r"M-Pesa (takes whole amounts of KES|does not take UGX)"):
        payments.start(other.pk, provider="mpesa", phone="0712 345 678")
    assert not other.payments.exists()


def test_instructions_name_no_amount_that_would_not_pay_the_order(order):
    assert payment_provider("mpesa").by_hand(order_number=order.number, amount=Decimal("12.50")) == ""
