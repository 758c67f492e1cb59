from __future__ import annotations

import json
import time
from decimal import Decimal

import pytest
from django.test import Client
from shop_notify import delivery
from shop_notify.exceptions import AddressRefused, PermanentFailure, SetupFailure, TemporaryFailure, UnknownOutcome
from shop_notify.models import Attempt, DeliveryReport, Notification, Suppression
from shop_notify.notifiers import AfricasTalkingNotifier, Message, get_notifier
from shop_notify.notifiers.africas_talking import read_response
from shop_notify.segments import count_segments

pytest.importorskip("africastalking", reason="needs django-shop-notify[africastalking]")

PHONE = "+254711000001"
SECRET = "report-secret-0123456789"


@pytest.fixture
def sms(settings, gateway):
    options = {
        "username": "sandbox",
        "api_key": "key-that-nobody-sees",
        "sender": "DUKA",
        "base_url": gateway.url,
        "report_secret": SECRET,
    }
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {
            **settings.SHOP_NOTIFY["NOTIFIERS"],
            "sms": {"BACKEND": "shop_notify.notifiers.AfricasTalkingNotifier", "OPTIONS": options},
        },
    }
    return get_notifier("sms")


def message(text="Hello", to=PHONE):
    return Message(id="m-1", event="order_placed", to=to, text=text)


def queue(**changes):
    return Notification.objects.create(
        **{
            "event_id": "e-1",
            "event": "order_placed",
            "alias": "sms",
            "channel": "sms",
            "address": PHONE,
            "audience": "customer",
            "context": {"order": {"number": "K7Q", "currency": "KES", "total": "10.00"}},
            **changes,
        }
    )


def test_accepted_message_keeps_id_segments_and_cost(sms, gateway):
    receipt = sms.send(message())
    assert receipt.provider_id == "ATXid_1"
    assert (receipt.segments, receipt.cost, receipt.currency) == (1, Decimal("0.8000"), "KES")
    assert gateway.paths == ["/version1/messaging"]
    (form,) = gateway.requests
    assert form == {"username": "sandbox", "to": PHONE, "message": "Hello", "bulkSMSMode": "1", "from": "DUKA"}
    assert gateway.headers[0]["apiKey"] == "key-that-nobody-sees"


def accepted_with(**changes):
    recipient = {"statusCode": 101, "number": PHONE, "status": "Success", "cost": "KES 0.8000", "messageId": "ATXid_1"}
    recipient = {name: value for name, value in {**recipient, **changes}.items() if value is not MISSING}
    return json.dumps({"SMSMessageData": {"Message": "", "Recipients": [recipient]}})


MISSING = object()


@pytest.mark.parametrize(
    "cost",
    [
        *(
            MISSING,
            None,
            "",
            "0",
            0.8,
            [],
            {},
            True,
            "KES",
            "free",
            "KES NaN",
            "KES sNaN",
            "KES -NaN",
            "NaN",
            "KES -1",
        ),
        *("KES Infinity", "KES 1e9", "KES 1e999999999", "KES ٣", "KES 1 2", "K€S 1", "KES 1.2.3", "KES " + "9" * 5000),
        *("KES\0 1", "KES ,", "KES .5"),
    ],
)
def test_cost_that_is_not_an_amount_is_ignored_and_the_message_is_sent(cost):
    receipt = read_response(201, accepted_with(cost=cost), None, text="Hello")
    assert (receipt.provider_id, receipt.cost, receipt.currency) == ("ATXid_1", None, "")


@pytest.mark.parametrize(
    ("cost", "amount"), [("kes 1", "1"), ("KES 1,234.5", "1234.5"), ("UGX 35.00000", "35"), ("KES 0.80004", "0.8")]
)
def test_forms_of_a_cost(cost, amount):
    assert read_response(201, accepted_with(cost=cost), None, text="Hello").cost == Decimal(amount)


@pytest.mark.parametrize(
    "code",
    [
        *(
            MISSING,
            None,
            "",
            [],
            {},
            True,
            101.5,
            -101,
            "²",
            "١٠١",
            "9" * 5000,
            10**30,
            "101 ",
            "0101",
            "ok",
            "1e2",
            0,
        ),
        *(199, 408, 999),
    ],
)
def test_missing_or_odd_code_is_an_unknown_outcome(code):
    with pytest.raises(UnknownOutcome):
        read_response(201, accepted_with(statusCode=code), None, text="Hello")


@pytest.mark.parametrize("changes", [{"messageId": None}, {"messageId": MISSING}, {"messageParts": True}])
def test_missing_id_and_odd_number_of_parts_change_nothing(changes):
    receipt = read_response(201, accepted_with(**changes), None, text="Hello")
    assert receipt.provider_id in {"", "ATXid_1"}
    assert receipt.segments == 1
    assert type(receipt.segments) is int


@pytest.mark.django_db
@pytest.mark.parametrize(("letter", "longest"), [("x", 918), ("ж", 402), ("🦩", 208)])
def test_sms_has_at_most_six_segments_of_any_alphabet(sms, gateway, letter, longest):
    queue(context={"order": {"number": letter * 1500, "currency": "KES", "total": "10.00"}})
    delivery.deliver_due()
    (form,) = gateway.requests
    assert len(form["message"]) == longest
    assert count_segments(form["message"]).parts == 6
    assert Notification.objects.get().text == form["message"]


@pytest.mark.parametrize("code", [100, 101, 102])
def test_accepting_codes(sms, gateway, code):
    gateway.code = code
    assert sms.send(message()).provider_code == str(code)


@pytest.mark.parametrize("code", [500, 501, 502])
def test_codes_of_temporary_failures(sms, gateway, code):
    gateway.code = code
    with pytest.raises(TemporaryFailure):
        sms.send(message())


@pytest.mark.parametrize("code", [402, 405])
def test_unknown_sender_and_empty_account_refuse_the_set_up(sms, gateway, code):
    gateway.code = code
    with pytest.raises(SetupFailure):
        sms.send(message())


@pytest.mark.parametrize("code", [401, 403, 404, 406, 407, 409])
def test_codes_of_permanent_failures(sms, gateway, code):
    gateway.code = code
    with pytest.raises(PermanentFailure) as caught:
        sms.send(message())
    assert caught.value.suppress == ("stop" if code == 406 else "")


def test_unlisted_code_is_an_unknown_outcome(sms, gateway):
    gateway.code = 777
    with pytest.raises(UnknownOutcome):
        sms.send(message())


@pytest.mark.parametrize("mode", ["accept", "charset", "shouting"])
def test_good_json_is_read_whatever_its_content_type(sms, gateway, mode):
    gateway.mode = mode
    assert sms.send(message()).provider_id == "ATXid_1"


@pytest.mark.parametrize(
    ("mode", "failure"),
    [
        ("no_recipients", SetupFailure),
        ("unauthorised", SetupFailure),
        ("redirect", SetupFailure),
        ("too_many", TemporaryFailure),
        ("error_html", TemporaryFailure),
        ("error_json", TemporaryFailure),
        ("portal", UnknownOutcome),
        ("empty", UnknownOutcome),
        ("broken_json", UnknownOutcome),
        ("array", UnknownOutcome),
        ("reset", UnknownOutcome),
        ("truncated", UnknownOutcome),
        ("huge", UnknownOutcome),
        ("bomb", UnknownOutcome),
    ],
)
def test_malformed_responses_have_the_right_outcome(sms, gateway, mode, failure):
    gateway.mode = mode
    with pytest.raises(failure) as caught:
        sms.send(message())
    assert type(caught.value) is failure
    assert len(gateway.requests) == 1
    assert "key-that-nobody-sees" not in repr(caught.value)


def test_retry_after_of_the_gateway_is_read(sms, gateway):
    gateway.mode = "too_many"
    with pytest.raises(TemporaryFailure) as caught:
        sms.send(message())
    assert caught.value.retry_after == 120


def test_gateway_that_is_down_is_a_temporary_failure(sms, gateway):
    gateway.shutdown()
    gateway.server_close()
    with pytest.raises(TemporaryFailure):
        sms.send(message())


@pytest.mark.parametrize("mode", ["silence", "drip", "slow_headers"])
def test_silent_or_slow_gateway_is_an_unknown_outcome_within_the_time_limit(sms, gateway, short_time_outs, mode):
    gateway.mode = mode
    began = time.monotonic()
    with pytest.raises(UnknownOutcome):
        sms.send(message())
    assert 0.9 < time.monotonic() - began < 4


@pytest.mark.parametrize(
    "address",
    [
        "0711000001",
        "+254711000001\n",
        "",
        "+",
        "254711000001",
        "+254711",
        "+8816212345678",
        "+14155552671",
        "+254900123456",
    ],
)
def test_only_numbers_of_the_allowed_countries_are_sent_to(sms, gateway, address):
    with pytest.raises(AddressRefused):
        sms.check_address(address)
    assert gateway.requests == []


def test_number_of_an_allowed_country_passes(sms):
    sms.check_address(PHONE)


def test_empty_message_is_refused_before_it_costs_anything(sms, gateway):
    with pytest.raises(PermanentFailure):
        sms.send(message(text="  "))
    assert gateway.requests == []


def test_production_and_sandbox_hosts_are_those_of_the_sdk():
    pytest.importorskip("africastalking")
    from shop_notify.notifiers.africas_talking_client import SmsClient

    assert (
        SmsClient("sandbox", "k")._make_url("/messaging")
        == "https://api.sandbox.africastalking.com/version1/messaging"
    )
    assert SmsClient("duka", "k")._make_url("/messaging") == "https://api.africastalking.com/version1/messaging"


def test_two_accounts_do_not_share_anything():
    one = AfricasTalkingNotifier(alias="a", username="one", api_key="k1")
    two = AfricasTalkingNotifier(alias="b", username="two", api_key="k2")
    assert (one._client._username, two._client._username) == ("one", "two")
    assert "k1" not in repr(one)


@pytest.mark.django_db
def test_row_is_sent_and_its_delivery_report_moves_it_forward(sms, gateway):
    row = queue()
    delivery.deliver_due()
    row.refresh_from_db()
    assert (row.state, row.provider_id, row.segments, row.cost, row.cost_currency) == (
        "sent",
        "ATXid_1",
        1,
        Decimal("0.8000"),
        "KES",
    )
    assert Attempt.objects.get().response["number"] == "+254***01"
    assert report(row, status="Success").status_code == 200
    row.refresh_from_db()
    assert row.state == "delivered"
    assert row.delivered_at is not None


def report(row=None, *, secret=SECRET, **form):
    data = {"id": row.provider_id if row else "ATXid_1", "phoneNumber": PHONE, "networkCode": "63902", **form}
    return Client(enforce_csrf_checks=True).post(f"/notify/reports/sms/{secret}/", data)


@pytest.fixture
def sent(sms, gateway, db):
    row = queue()
    delivery.deliver_due()
    row.refresh_from_db()
    return row


def state_of(row):
    row.refresh_from_db()
    return row.state


def test_report_without_the_secret_is_404_and_changes_nothing(sent):
    assert report(sent, secret="wrong", status="Success").status_code == 404
    assert Client().post("/notify/reports/sms/", {"id": sent.provider_id, "status": "Success"}).status_code == 404
    assert state_of(sent) == "sent"
    assert DeliveryReport.objects.count() == 0


def test_report_that_names_another_phone_changes_nothing(sent):
    assert report(sent, status="Success", phoneNumber="+254711000009").status_code == 200
    assert state_of(sent) == "sent"


def test_duplicate_report_counts_once(sent):
    for _ in range(3):
        assert report(sent, status="Success").status_code == 200
    assert DeliveryReport.objects.count() == 1


def test_report_never_moves_backwards(sent):
    report(sent, status="Success")
    report(sent, status="Buffered")
    report(sent, status="Failed", failureReason="DeliveryFailure")
    assert state_of(sent) == "delivered"


@pytest.mark.parametrize("status", ["Sent", "Submitted", "Buffered"])
def test_status_that_is_not_final_leaves_the_row_sent(sent, status):
    assert report(sent, status=status).status_code == 200
    assert state_of(sent) == "sent"


@pytest.mark.parametrize("status", ["Failed", "Rejected", "AbsentSubscriber", "Expired"])
def test_failure_is_recorded_with_its_reason(sent, status):
    report(sent, status=status, failureReason="UserDoesNotExist")
    sent.refresh_from_db()
    assert (sent.state, sent.last_error) == ("failed", f"{status}: UserDoesNotExist")


def test_message_to_a_phone_that_was_off_can_still_be_delivered(sent):
    """The gateway's documentation does not list AbsentSubscriber as a final status."""
    report(sent, status="AbsentSubscriber")
    report(sent, status="Success")
    sent.refresh_from_db()
    assert (sent.state, sent.last_error) == ("delivered", "")
    report(sent, status="Expired")
    assert state_of(sent) == "delivered"


@pytest.mark.parametrize(("state", "after"), [("dead", "delivered"), ("skipped", "skipped"), ("queued", "queued")])
def test_late_report_of_delivery_wins_over_a_failure(sent, state, after):
    Notification.objects.update(state=state)
    report(sent, status="Success")
    assert state_of(sent) == after


def test_report_of_an_opt_out_suppresses_the_phone(sent):
    report(sent, status="Rejected", failureReason="UserInBlackList")
    assert Suppression.objects.get().reason == "stop"


def test_opt_out_callback_suppresses_the_phone(sms, db):
    response = Client().post(f"/notify/reports/sms/{SECRET}/", {"senderId": "DUKA", "phoneNumber": PHONE})
    assert response.status_code == 200
    row = Suppression.objects.get()
    assert (row.channel, row.address, row.reason) == ("sms", PHONE, "stop")


def test_report_that_arrives_before_the_result_is_recorded_is_applied_later(sms, gateway, db):
    assert report(status="Success").status_code == 200
    assert DeliveryReport.objects.get().notification is None
    row = queue()
    delivery.deliver_due()
    assert state_of(row) == "delivered"


@pytest.mark.parametrize(
    "form", [{}, {"status": "Success", "id": ""}, {"status": "Nonsense"}, {"phoneNumber": "", "status": "Success"}]
)
def test_incomplete_report_is_404(sent, form):
    assert report(sent, **form).status_code == 404
    assert state_of(sent) == "sent"


def test_notifier_chooses_how_large_a_report_may_be(sent, monkeypatch):
    assert report(sent, status="Success", padding="x" * 300_000).status_code == 413
    assert state_of(sent) == "sent"
    monkeypatch.setattr(AfricasTalkingNotifier, "max_report_bytes", 400_000)
    assert report(sent, status="Success", padding="x" * 300_000).status_code == 200
    assert state_of(sent) == "delivered"


def test_report_for_an_unknown_alias_is_404(db):
    assert Client().post("/notify/reports/pigeon/x/", {}).status_code == 404
