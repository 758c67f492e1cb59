"""Exporting and erasing what the outbox holds about a person."""

import pytest
from django.apps import apps
from django.test import override_settings
from shop_notify import personal_data
from shop_notify.models import Attempt, DeliveryReport, Notification, Preference, Suppression
from shop_notify.recipients import lift_suppression, suppress, suppressed

pytestmark = pytest.mark.django_db

PERSON = {
    "user": "7",
    "keys": ["customer:1"],
    "emails": ["Ann@Example.org"],
    "phones": ["+254712345678"],
    "references": ["ORDER-1"],
}


def message(address, **fields):
    values = {"event": "order_placed", "alias": "email", "channel": "email", "state": "sent", "event_id": address}
    return Notification.objects.create(address=address, **{**values, **fields})


def everything():
    models = apps.get_app_config("shop_notify").get_models()
    return str([list(model.objects.values()) for model in models])


@pytest.fixture
def kept():
    """Messages of somebody else."""
    return message("bob@example.org", recipient_key="customer:2", reference="ORDER-2", text="Hello Bob")


@pytest.fixture
def own(kept):
    sent = message("ann@example.org", recipient_key="customer:1", recipient_name="Ann", text="Hello Ann")
    moment = sent.created_at
    Attempt.objects.create(notification=sent, number=1, started_at=moment, finished_at=moment, detail="550 Ann")
    DeliveryReport.objects.create(notification=sent, alias="email", provider_id="1", status="ok", state="sent")
    DeliveryReport.objects.create(
        alias="sms", provider_id="2", status="Success", state="delivered", address="+254712345678"
    )
    message(
        "+254712345678", alias="sms", channel="sms", text="Ann, your order", state="queued", recipient_key="customer:1"
    )
    message("admin@example.org", audience="admins", reference="ORDER-1", context={"name": "Ann"})
    Preference.objects.create(recipient_key="customer:1", group="news", alias="email", is_enabled=False)
    Preference.objects.create(recipient_key="user:7", group="news", alias="email", is_enabled=False)
    suppress("email", "ann@example.org", reason="bounce", note="Ann moved")
    suppress("sms", "+254712345678", reason="stop")
    return sent


def test_export_has_the_messages_to_the_person_and_their_preferences(own):
    found = personal_data.export_personal_data(PERSON)

    assert [row["text"] for row in found["messages"]] == ["Hello Ann", "Ann, your order"]
    assert found["messages"][0]["reports"] == ["ok"]
    assert len(found["preferences"]) == 2


def test_nothing_about_the_person_stays_and_all_of_others_does(own, kept):
    assert "Ann" in everything()

    assert personal_data.erase_personal_data(PERSON) == []
    assert personal_data.erase_personal_data(PERSON) == []

    found = everything()
    assert not [text for text in ("Ann", "ann@", "712345678", "customer:1", "user:7") if text in found]
    assert list(Notification.objects.all()) == [kept]


def test_phone_that_somebody_entered_finds_no_messages_of_its_owner(own):
    thief = {"keys": ["customer:3"], "phones": ["+254712345678"]}

    assert personal_data.export_personal_data(thief)["messages"] == []
    personal_data.erase_personal_data(thief)
    assert Notification.objects.filter(address="+254712345678").count() == 1
    assert suppressed("sms", ["+254712345678"])


def test_suppressed_addresses_stay_suppressed_without_being_stored(own):
    personal_data.erase_personal_data(PERSON)

    assert suppressed("email", ["ANN@example.org", "bob@example.org"]) == {"ann@example.org"}
    with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=["not-secret", "older"]):
        assert suppressed("sms", ["+254712345678"]) == set()
    suppress("sms", "+254712345678", reason="bounce")  # it is known already
    assert Suppression.objects.count() == 2
    assert lift_suppression("email", "ann@example.org")
    assert suppressed("email", ["ann@example.org"]) == set()


def test_hashes_survive_a_change_of_the_secret_key(own, settings):
    personal_data.erase_personal_data(PERSON)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "a-new-one"

    assert suppressed("sms", ["+254712345678"]) == {"+254712345678"}


def test_message_that_is_being_sent_waits(own):
    Notification.objects.filter(pk=own.pk).update(state="sending")

    assert personal_data.erase_personal_data(PERSON) == [{"what": "1 message", "reason": "It is being sent."}]
    assert Notification.objects.filter(pk=own.pk).exists()

    Notification.objects.filter(pk=own.pk).update(state="sent")
    assert personal_data.erase_personal_data(PERSON) == []
    assert not Notification.objects.filter(pk=own.pk).exists()


def test_nobody_is_erased_without_a_person(own):
    before = everything()

    assert personal_data.erase_personal_data({}) == []
    assert personal_data.erase_personal_data({"emails": [""], "keys": [""], "references": [""], "phones": [""]}) == []
    assert everything() == before


SPELLINGS = ("Ann@Bücher.example", "ann@xn--bcher-kva.example", "ANN@XN--BCHER-KVA.EXAMPLE", '"ann"@bücher.example')
OTHERS = (
    "an@bücher.example",
    "ann@bucher.example",
    "ann@bücher.example.org",
    "%@bücher.example",
    "ann_@bücher.example",
)


@pytest.mark.parametrize("known", SPELLINGS[:3])
def test_messages_to_any_spelling_of_an_address_are_the_persons(known):
    person = {"emails": [known]}
    for address in (*SPELLINGS[:3], *OTHERS):
        message(address)
    DeliveryReport.objects.create(alias="email", provider_id="2", status="ok", state="sent", address=SPELLINGS[2])
    assert {row["address"] for row in personal_data.export_personal_data(person)["messages"]} == {*SPELLINGS[:3]}
    personal_data.erase_personal_data(person)
    assert {*Notification.objects.values_list("address", flat=True)} == {*OTHERS}
    assert not DeliveryReport.objects.exists()


def test_letter_that_the_database_folds_makes_no_other_persons_message():
    message("admın@example.org")
    message("ADMIN@example.org")
    personal_data.erase_personal_data({"emails": ["admin@example.org"]})
    assert Notification.objects.get().address == "admın@example.org"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_suppression_counts_for_any_spelling(spelling):
    suppress("email", SPELLINGS[0], reason="bounce")
    assert suppressed("email", [spelling]) == {"ann@xn--bcher-kva.example"}
    assert not suppressed("email", OTHERS)
    assert lift_suppression("email", spelling)
