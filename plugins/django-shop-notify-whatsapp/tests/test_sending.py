"""What is sent, and what each of Meta's responses becomes."""

import logging
import re
from pathlib import Path

import pytest
from django.core.management import call_command
from meta import NUMBER_ID, THROUGHPUT, TOKEN, WAMID, error
from shop_notify.exceptions import PermanentFailure, SetupFailure, TemporaryFailure, UnknownOutcome
from shop_notify.notifiers import Message, get_notifier
from shop_notify_whatsapp import WhatsAppCloudNotifier
from shop_notify_whatsapp.errors import PERMANENT, PERMISSION_CODES, SETUP, TEMPORARY

ORDER = {"number": "K7Q", "total": "10.00", "currency": "KES", "note": "two\nlines\tand    blanks", "empty": " "}
UNSUPPORTED = "Unsupported post request. Object with ID '106540352242922' does not exist"
EXPIRED = "Error validating access token: Session has expired on Thursday, 02-Mar-23 10:00:00 PST."
HTML = b"<!DOCTYPE html><html><title>Error</title></html>"

RESPONSES = [
    # name, HTTP status, body, failure, provider_code, part of the text
    ("expired token", 401, error(190, EXPIRED, error_subcode=463), SetupFailure, "190", "Create another one"),
    ("no token", 401, error(0, "AuthException"), SetupFailure, "0", "not valid"),
    ("permission", 403, error(10, "Permission denied"), SetupFailure, "10", "whatsapp_business_messaging"),
    ("API permission", 403, error(200, "API Permission"), SetupFailure, "200", "phone_number_id"),
    ("last API permission", 403, error(299, "API Permission"), SetupFailure, "299", "phone_number_id"),
    ("access denied", 403, error(131005, "Access denied"), SetupFailure, "131005", "access"),
    ("account locked", 403, error(131031, "Account has been locked"), SetupFailure, "131031", "locked"),
    ("payment", 400, error(131042, "Business eligibility payment issue"), SetupFailure, "131042", "billing"),
    ("not registered", 400, error(133010, "Phone number Not Registered"), SetupFailure, "133010", "registered"),
    ("policy", 403, error(368, "Temporarily blocked for policies violations"), SetupFailure, "368", "policy"),
    ("unknown number id", 400, error(100, UNSUPPORTED, error_subcode=33), SetupFailure, "100", "does not exist"),
    ("unknown path", 400, error(2500, "Unknown path components"), SetupFailure, "2500", "api_version"),
    ("new code with 403", 403, error(139999, "Something new"), SetupFailure, "139999", "Something new"),
    ("401 without a body", 401, b"", SetupFailure, "401", "base_url"),
    ("404 of another server", 404, HTML, SetupFailure, "404", "base_url"),
    ("redirection", 302, b"", SetupFailure, "302", "base_url"),
    ("rate limit", 400, error(130429, "Rate limit hit", THROUGHPUT), TemporaryFailure, "130429", THROUGHPUT),
    ("rate limit by HTTP", 429, error(130429, "Rate limit hit"), TemporaryFailure, "130429", "Rate limit"),
    ("details with control characters", 400, error(4, "Too", "a\x00\nb"), TemporaryFailure, "4", "Too: a  b"),
    ("account's limit", 400, error(80007, "Rate limit issues"), TemporaryFailure, "80007", "Rate limit"),
    ("app's limit", 400, error(4, "API Too Many Calls"), TemporaryFailure, "4", "Too Many"),
    ("pair rate limit", 400, error(131056, "Pair rate limit hit"), TemporaryFailure, "131056", "Pair"),
    ("spam rate limit", 400, error(131048, "Spam rate limit hit"), TemporaryFailure, "131048", "Spam"),
    ("something went wrong", 500, error(131000, "Something went wrong"), TemporaryFailure, "131000", "wrong"),
    ("overloaded", 500, error(131016, "Service unavailable"), TemporaryFailure, "131016", "unavailable"),
    ("API service", 503, error(2, "API Service"), TemporaryFailure, "2", "API Service"),
    ("paused template", 400, error(132015, "Template is Paused"), TemporaryFailure, "132015", "Paused"),
    ("new code with 500", 500, error(139999, "Something new"), TemporaryFailure, "139999", "Something new"),
    ("transient", 400, error(139999, "Something new", is_transient=True), TemporaryFailure, "139999", "new"),
    ("429 without a body", 429, b"", TemporaryFailure, "429", "HTTP 429"),
    ("503 of a proxy", 503, HTML, TemporaryFailure, "503", "HTTP 503"),
    (
        "test number",
        400,
        error(131030, "Recipient phone number not in allowed list"),
        PermanentFailure,
        "131030",
        "list",
    ),
    ("24 hours", 400, error(131047, "Re-engagement message"), PermanentFailure, "131047", "24 hours"),
    ("undeliverable", 400, error(131026, "Message Undeliverable"), PermanentFailure, "131026", "no WhatsApp"),
    ("invalid parameter", 400, error(100, "Invalid parameter", "to"), PermanentFailure, "100", "(100 (#100) Invalid"),
    (
        "parameters",
        400,
        error(132000, "Number of parameters", "body: 1"),
        PermanentFailure,
        "132000",
        "another number",
    ),
    ("no translation", 404, error(132001, "Template name does not exist"), PermanentFailure, "132001", "language"),
    ("marketing", 400, error(131049, "Meta chose not to deliver"), PermanentFailure, "131049", "marketing"),
    ("new code", 400, error(139999, "Something new"), PermanentFailure, "139999", "Something new"),
    ("400 without a body", 400, b"", PermanentFailure, "400", "HTTP 400"),
    ("HTML with 200", 200, HTML, UnknownOutcome, "200", "may have been sent"),
    ("nothing with 200", 200, b"", UnknownOutcome, "200", "may have been sent"),
    ("no message", 200, {"messaging_product": "whatsapp", "messages": []}, UnknownOutcome, "200", "may have been"),
    ("message without id", 200, {"messages": [{"id": None}]}, UnknownOutcome, "200", "may have been sent"),
    ("list", 200, [1], UnknownOutcome, "200", "may have been sent"),
    ("500 of a proxy", 500, HTML, UnknownOutcome, "500", "may have been sent"),
    ("504 of a proxy", 504, b"", UnknownOutcome, "504", "may have been sent"),
    ("error that is none", 502, {"error": {"code": "2"}}, UnknownOutcome, "502", "may have been sent"),
]


def message(**changes):
    return Message(**{"id": "1", "event": "order_placed", "to": "+254711000001", "text": "Thank you", **changes})


def with_template(options, **template):
    template = {"name": "order_placed", "languages": ["en_US"], **template}
    return WhatsAppCloudNotifier(alias="whatsapp", **{**options, "templates": {"order_placed": template}})


@pytest.mark.parametrize("case", RESPONSES, ids=[case[0] for case in RESPONSES])
def test_each_response_becomes_its_failure(notifier, meta, case):
    _name, status, body, failure, code, text = case
    meta.respond(status, body)
    with pytest.raises(failure) as caught:
        notifier.send(message())
    assert type(caught.value) is failure
    assert caught.value.provider_code == code
    assert text in str(caught.value)


@pytest.mark.parametrize("failure", [PermanentFailure, TemporaryFailure, SetupFailure, UnknownOutcome])
def test_no_failure_suppresses_the_phone_which_also_gets_sms(failure):
    assert any(case[3] is failure for case in RESPONSES)
    assert not getattr(failure("", provider_code="1"), "suppress", "")


@pytest.mark.parametrize(("header", "wait"), [({}, 30), ({"Retry-After": "90"}, 90), ({"Retry-After": "soon"}, 30)])
def test_wait_of_the_response_replaces_ours(notifier, meta, header, wait):
    meta.respond(429, error(130429, "Rate limit hit"), **header)
    with pytest.raises(TemporaryFailure) as caught:
        notifier.send(message())
    assert caught.value.retry_after == wait


def test_request_for_a_text_is_as_documented(notifier, meta):
    receipt = notifier.send(message(text="Thank you ☕"))
    assert meta.requests == [
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "254711000001",
            "type": "text",
            "text": {"preview_url": False, "body": "Thank you ☕"},
        }
    ]
    assert (receipt.provider_id, receipt.provider_code) == (f"{WAMID}1", "accepted")


def test_request_for_a_template_is_as_documented(options, meta):
    notifier = with_template(
        options,
        header=["recipient.name"],
        body=["order.number", "order.lines.0.name", "order.tracking|not yet"],
        buttons={0: "order.number"},
    )
    order = {**ORDER, "lines": [{"name": "Beans"}]}
    notifier.send(message(context={"order": order}, name="Amina"))
    assert meta.requests[0]["type"] == "template"
    assert meta.requests[0]["template"] == {
        "name": "order_placed",
        "language": {"code": "en_US"},
        "components": [
            {"type": "header", "parameters": [{"type": "text", "text": "Amina"}]},
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "text": "K7Q"},
                    {"type": "text", "text": "Beans"},
                    {"type": "text", "text": "not yet"},
                ],
            },
            {
                "type": "button",
                "sub_type": "url",
                "index": "0",
                "parameters": [{"type": "text", "text": "K7Q"}],
            },
        ],
    }


def test_named_parameters_and_no_parameters(options, meta):
    with_template(options, body={"order_number": "order.number"}).send(message(context={"order": ORDER}))
    with_template(options).send(message())
    named, none = [request["template"] for request in meta.requests]
    parameter = {"type": "text", "parameter_name": "order_number", "text": "K7Q"}
    assert named["components"] == [{"type": "body", "parameters": [parameter]}]
    assert none == {"name": "order_placed", "language": {"code": "en_US"}}


def test_line_breaks_and_repeated_spaces_in_a_parameter_become_one_space(options, meta):
    with_template(options, body=["order.note"]).send(message(context={"order": ORDER}))
    assert meta.received()[0]["text"] == "two lines and blanks"


@pytest.mark.parametrize("path", ["order.empty", "order.unknown", "order", "order.number.0", "order.lines.5"])
def test_missing_value_is_refused_here_and_names_the_path(options, meta, path):
    with pytest.raises(PermanentFailure, match=rf"“{path}”.*“order_placed”"):
        with_template(options, body=[path]).send(message(context={"order": {**ORDER, "lines": []}}))
    assert meta.requests == []


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("pt-br", "pt_BR"),
        ("pt", "pt_BR"),
        ("en-GB", "en_US"),
        ("sw", "en_US"),
        ("", "en_US"),
    ],
)
def test_language_is_the_nearest_of_the_template(options, meta, wanted, code):
    notifier = with_template(options, languages=["en_US", "de", "pt_BR"])
    notifier.send(message(language=wanted))
    assert meta.requests[0]["template"]["language"] == {"code": code}


def test_event_without_a_template_is_refused_unless_text_is_allowed(options, meta):
    notifier = WhatsAppCloudNotifier(alias="whatsapp", **{**options, "free_text": False})
    with pytest.raises(PermanentFailure, match="order_placed"):
        notifier.send(message())
    assert meta.requests == []


def test_token_that_meta_repeats_is_in_no_error_and_no_receipt(notifier, meta, caplog):
    meta.respond(401, error(190, f"Malformed access token {TOKEN}"))
    with caplog.at_level(logging.DEBUG), pytest.raises(SetupFailure) as caught:
        notifier.send(message())
    meta.respond(200, {"messages": [{"id": "wamid.1"}], "debug": TOKEN})
    receipt = notifier.send(message())
    shown = f"{caught.value!r} {caught.value} {caught.value.__context__!r} {receipt!r} {notifier!r} {caplog.text}"
    assert "Malformed access token ***" in shown
    assert TOKEN not in shown


@pytest.mark.parametrize(
    "changes",
    [
        {"phone_number_id": "+15550783881"},
        {"phone_number_id": f"{NUMBER_ID}/../1"},
        {"access_token": f"{TOKEN}\n"},
        {"access_token": "two words"},
        {"app_secret": ""},
        {"verify_token": None},
        {"api_version": "23"},
        {"base_url": "graph.facebook.com"},
        {"base_url": "ftp://graph.facebook.com"},
        {"base_url": "https://graph.facebook.com?a=1"},
        {"templates": {"order_placed": "order_placed"}},
        {"templates": {"order_placed": {"name": "Order", "languages": ["en_US"]}}},
        {"templates": {"order_placed": {"name": "order", "languages": "en_US"}}},
        {"templates": {"order_placed": {"name": "order", "languages": []}}},
        {"templates": {"order_placed": {"name": "order", "languages": ["en-US"]}}},
        {"templates": {"order_placed": {"name": "order", "languages": ["en"], "text": ["a"]}}},
        {"templates": {"order_placed": {"name": "order", "languages": ["en"], "body": "order.number"}}},
        {"templates": {"order_placed": {"name": "order", "languages": ["en"], "body": [7]}}},
        {"templates": {"order_placed": {"name": "order", "languages": ["en"], "header": ["a", "b"]}}},
        {"templates": {"order_placed": {"name": "order", "languages": ["en"], "buttons": ["a"]}}},
        {"templates": {"order_placed": {"name": "order", "languages": ["en"], "buttons": {"first": "a"}}}},
    ],
)
def test_wrong_options_are_refused_and_not_repeated(options, changes):
    ((name, _value),) = changes.items()
    with pytest.raises(ValueError, match=name) as caught:
        WhatsAppCloudNotifier(alias="whatsapp", **{**options, **changes})
    assert TOKEN not in str(caught.value)
    assert name != "templates" or "templates['order_placed']: " in str(caught.value)


def test_name_of_the_entry_point_is_enough_in_the_settings(capsys):
    assert isinstance(get_notifier("whatsapp"), WhatsAppCloudNotifier)
    call_command("list_notifiers")
    listed = capsys.readouterr().out.partition("whatsapp_cloud  (shop_notify_whatsapp:WhatsAppCloudNotifier)\n")[2]
    assert "from: django-shop-notify-whatsapp\n" in listed
    assert "access_token (required, secret)" in listed
    assert "install: " not in listed


def test_readme_lists_every_code_where_the_table_has_it():
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([0-9][^|]*) \| (kept|sent again|refused)", text, re.MULTILINE)
    listed = {kind: codes_of(codes) for codes, kind in rows}
    assert listed == {"kept": {*SETUP, *PERMISSION_CODES}, "sent again": {*TEMPORARY}, "refused": {*PERMANENT}}


def codes_of(text):
    ranges = re.findall(r"(\d+)(?: to (\d+))?", text)
    return {code for first, last in ranges for code in range(int(first), int(last or first) + 1)}
