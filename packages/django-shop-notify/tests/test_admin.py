from __future__ import annotations

import re

import django
import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from shop_notify import delivery
from shop_notify.models import Notification, TemplateOverride
from shop_notify.notifiers import MemoryNotifier

pytestmark = pytest.mark.django_db

LIST = "/admin/shop_notify/notification/"


@pytest.fixture
def row():
    return Notification.objects.create(
        event_id="e-1",
        event="newsletter",
        alias="memory",
        channel="memory",
        address="m@example.org",
        reference="R-1",
        context={"headline": "<b>h</b>"},
    )


@pytest.fixture
def clerk(django_user_model, client):
    user = django_user_model.objects.create_user("clerk", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_notification"))
    client.force_login(user)
    return client


def has_breadcrumbs_of_this_django(response, title):
    """Whether the breadcrumbs have the markup that this version of Django styles."""
    page = response.content.decode()
    begin = '<ol class="breadcrumbs">' if django.VERSION >= (6, 1) else '<div class="breadcrumbs">'
    return page.count(begin) == 1 and f"<h1>{title}</h1>" in page


def test_every_list_and_page_opens(admin_client, row):
    delivery.deliver_due()
    for model in ("notification", "suppression", "preference", "templateoverride", "jobrun", "routefailure"):
        assert admin_client.get(reverse(f"admin:shop_notify_{model}_changelist")).status_code == 200
    page = admin_client.get(f"{LIST}{row.pk}/change/").content.decode()
    assert "Offer: &lt;b&gt;h&lt;/b&gt;" in page
    assert "accepted" in page
    assert has_breadcrumbs_of_this_django(admin_client.get(f"{LIST}notifiers/"), "Notifiers and their health")
    assert has_breadcrumbs_of_this_django(admin_client.get(f"{LIST}{row.pk}/resend/"), "Send again")
    assert admin_client.get(f"{LIST}?q=R-1&state=sent").status_code == 200


def test_notification_cannot_be_changed_added_or_deleted_by_hand(admin_client, row):
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    admin_client.post(f"{LIST}{row.pk}/change/", {"state": "sent"})
    row.refresh_from_db()
    assert row.state == "queued"


def test_page_of_a_notification_opens_even_if_its_template_is_broken(admin_client, row, settings, tmp_path):
    folder = tmp_path / "shop_notify" / "newsletter"
    folder.mkdir(parents=True)
    (folder / "memory.txt").write_text("{% nonsense %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    page = admin_client.get(f"{LIST}{row.pk}/change/")
    assert page.status_code == 200
    assert "TemplateSyntaxError" in page.content.decode()


def test_html_is_shown_on_a_page_that_runs_no_scripts(admin_client, row):
    Notification.objects.update(html="<script>alert(1)</script>", text="x")
    response = admin_client.get(f"{LIST}{row.pk}/html/")
    assert response.content == b"<script>alert(1)</script>"
    assert response["Content-Security-Policy"].startswith("default-src 'none'")
    assert "sandbox" in response["Content-Security-Policy"]


def test_resend_to_another_address(admin_client, row):
    assert admin_client.get(f"{LIST}{row.pk}/resend/").status_code == 200
    values = {"address": "other@example.org", **opened(admin_client, f"{LIST}{row.pk}/resend/")}
    response = admin_client.post(f"{LIST}{row.pk}/resend/", values)
    assert response.status_code == 302
    assert Notification.objects.get(origin=row).address == "other@example.org"


def opened(client, page):
    """The hidden values of a page that was just opened."""
    return {"form_token": re.search(r'name="form_token" value="([^"]+)"', client.get(page).content.decode())[1]}


def test_resend_form_that_is_submitted_twice_sends_one_message(admin_client, row):
    url = f"{LIST}{row.pk}/resend/"
    values = {"address": row.address, **opened(admin_client, url)}
    first, again = (admin_client.post(url, values, follow=True).content.decode() for _press in range(2))
    assert "It will be sent to" in first
    assert "This form was already submitted. The message to" in again
    assert Notification.objects.filter(origin=row).count() == 1
    admin_client.post(url, {**values, **opened(admin_client, url)})
    assert Notification.objects.filter(origin=row).count() == 2


@pytest.mark.parametrize("token", [None, "", "made-up"])
def test_resend_form_without_a_token_is_shown_again_with_one(admin_client, row, token):
    values = {"address": row.address} if token is None else {"address": row.address, "form_token": token}
    text = admin_client.post(f"{LIST}{row.pk}/resend/", values).content.decode()
    assert "Check the form and send it again." in text
    assert Notification.objects.count() == 1


def test_action_that_is_submitted_twice_sends_each_message_once(admin_client, row):
    other = Notification.objects.create(
        event_id="2", event=row.event, alias=row.alias, channel=row.channel, address=row.address, context=row.context
    )
    values = {"action": "resend", "_selected_action": [row.pk, other.pk], **opened(admin_client, LIST)}
    first, again = (admin_client.post(LIST, values, follow=True).content.decode() for _press in range(2))
    assert "2 messages will be sent." in first
    assert again.count("This form was already submitted. The message is not sent a second time.") == 2
    assert Notification.objects.exclude(origin=None).count() == 2


def test_staff_without_the_permission_can_view_but_not_resend(clerk, row):
    assert clerk.get(f"{LIST}{row.pk}/change/").status_code == 200
    assert "Send again" not in clerk.get(f"{LIST}{row.pk}/change/").content.decode()
    assert clerk.post(f"{LIST}{row.pk}/resend/", {"address": "o@example.org"}).status_code == 403
    clerk.post(LIST, {"action": "resend", "_selected_action": [row.pk]})
    assert Notification.objects.count() == 1


def test_actions_resend_and_retry(admin_client, row):
    Notification.objects.update(state="dead")
    admin_client.post(LIST, {"action": "retry", "_selected_action": [row.pk]})
    admin_client.post(LIST, {"action": "resend", "_selected_action": [row.pk]})
    delivery.deliver_due()
    assert [message.to for message in MemoryNotifier.outbox["memory"]] == ["m@example.org"] * 2
    said = admin_client.post(LIST, {"action": "retry", "_selected_action": [row.pk]}, follow=True).content.decode()
    assert "has an unknown outcome can be retried. Resend this one instead." in said


def form(**changes):
    values = {"event": "order_placed", "channel": "sms", "audience": "", "language": "", "subject": "", "html": ""}
    return {**values, "text": "Hello {{ order.number }}", "is_active": "on", **changes}


def test_template_is_validated_when_it_is_saved_and_previewed(admin_client):
    add = "/admin/shop_notify/templateoverride/add/"
    refused = admin_client.post(add, form(text="{% include 'x' %}"))
    assert refused.status_code == 200
    assert "include" in refused.content.decode()
    assert TemplateOverride.objects.count() == 0
    assert admin_client.post(add, form()).status_code == 302
    saved = TemplateOverride.objects.get()
    page = admin_client.get(f"/admin/shop_notify/templateoverride/{saved.pk}/change/").content.decode()
    assert "Hello K7Q-2M4" in page
    assert "<iframe" not in page


def test_preview_of_a_template_runs_no_script_of_its_text(admin_client, row):
    Notification.objects.update(event="order_placed", context={"order": {"number": "<script>alert(1)</script>"}})
    admin_client.post(
        "/admin/shop_notify/templateoverride/add/", form(text="<script>alert(2)</script>{{ order.number }}")
    )
    saved = TemplateOverride.objects.get()
    page = admin_client.get(f"/admin/shop_notify/templateoverride/{saved.pk}/change/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(2)&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_html_of_a_template_is_previewed_in_a_frame_that_runs_no_scripts(admin_client):
    admin_client.post(
        "/admin/shop_notify/templateoverride/add/", form(channel="email", html="<b>{{ order.number }}</b>")
    )
    saved = TemplateOverride.objects.get()
    page = admin_client.get(f"/admin/shop_notify/templateoverride/{saved.pk}/change/").content.decode()
    assert '<iframe sandbox srcdoc="&lt;b&gt;K7Q-2M4&lt;/b&gt;"' in page
    assert "Hello K7Q-2M4" in page


def test_second_template_for_the_same_message_is_refused_with_a_message(admin_client):
    add = "/admin/shop_notify/templateoverride/add/"
    admin_client.post(add, form())
    again = admin_client.post(add, form())
    assert again.status_code == 200
    assert TemplateOverride.objects.count() == 1


@pytest.mark.parametrize(
    "model", ["notification", "suppression", "preference", "templateoverride", "jobrun", "routefailure"]
)
def test_odd_filters_of_a_list_are_no_error(admin_client, row, model):
    page = reverse(f"admin:shop_notify_{model}_changelist")
    names = {"notification": ("state", "alias", "event__exact", "created_at__year"), "suppression": ("channel",)}
    for name in ("q", "o", *names.get(model, ())):
        for value in ("a\0b", "9" * 400):
            assert admin_client.get(page, {name: value}).status_code in (200, 302), (name, value[:5])
