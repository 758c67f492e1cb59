"""Lists of large tables say that they end before all rows are shown, in the language of the reader."""

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import translation
from shop_core import model_admins
from shop_notify.models import Notification

pytestmark = pytest.mark.django_db
LONG = [list_ for list_ in admin.site._registry.values() if isinstance(list_, model_admins.LongList)]


LISTED = "admin:shop_notify_notification_changelist"


@pytest.fixture
def messages(db):
    Notification.objects.bulk_create(
        Notification(
            event="order_placed",
            event_id=str(number),
            recipient_key="a",
            alias="email",
            address="ann@example.org",
            reference="same",
            state="dead",
        )
        for number in range(3)
    )


@pytest.mark.parametrize("listed", LONG, ids=str)
def test_long_list_has_its_texts(listed):
    with translation.override("de"):
        texts = [str(text % {"count": "10,000"}) for text in (listed.more_rows_text, listed.more_found_text)]
    assert all("10,000" in text for text in texts)
    assert texts[0].startswith("Mehr als")


@pytest.mark.usefixtures("messages")
def test_list_says_that_it_ends_and_that_a_search_is_cut(admin_client, monkeypatch):
    monkeypatch.setattr(model_admins, "MOST_COUNTED", 2)
    assert "More than 2. The list ends there" in admin_client.get(reverse(LISTED)).content.decode()
    monkeypatch.setattr(model_admins, "MOST_FOUND", 1)
    monkeypatch.setattr(model_admins, "MOST_COUNTED", 9)
    assert "1 or more were found." in admin_client.get(f"{reverse(LISTED)}?q=same").content.decode()


@pytest.mark.usefixtures("messages")
@pytest.mark.parametrize(("most", "retried"), [(2, 0), (3, 3)])
def test_all_rows_are_selected_only_where_the_list_has_all(admin_client, monkeypatch, most, retried):
    monkeypatch.setattr(model_admins, "MOST_COUNTED", most)
    some = Notification.objects.values_list("pk", flat=True)[:1]
    body = {"action": "retry", "select_across": "1", "_selected_action": list(some)}
    shown = admin_client.post(reverse(LISTED), body, follow=True).content.decode()
    assert ("More than 2. The list ends there: search" in shown) == (not retried)
    assert Notification.objects.exclude(state="dead").count() == retried
