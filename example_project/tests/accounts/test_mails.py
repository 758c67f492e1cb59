"""The e-mails of accounts go through the outbox: a silent mail server delays nobody, and no stored row has a code."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import allauth
import django
import pytest
from accounts import mails
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.signing import BadSignature
from django.test import Client, override_settings
from django.utils import timezone
from django.utils.translation import override
from shop_notify import delivery, outbox, personal_data
from shop_notify.exceptions import NotRetryable
from shop_notify.models import Notification, State
from shop_notify.pruning import prune
from tests.conftest import AUTH, PASSWORD, Api, sent_mails

pytestmark = pytest.mark.django_db

CODE = re.compile(r"^[A-Z]{4}-[A-Z]{4}$", re.MULTILINE)
EMAIL = "new@live.example"
NAMES = {"first_name": "New", "last_name": "Customer"}
SIGN_UP = {"email": EMAIL, "password1": PASSWORD, **NAMES}
LINKS = {"account/email/password_reset_key"}
"""Prefixes of e-mails with links, which the settings replace with codes."""


def code_in(message: Any) -> str:
    return CODE.findall(message.body)[0]


@contextmanager
def silent_mail_server() -> Iterator[socket.socket]:
    """A mail server that accepts connections and says nothing."""
    backend = "django.core.mail.backends.smtp.EmailBackend"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        host, port = server.getsockname()
        if django.VERSION >= (6, 1):
            options = {"host": host, "port": port, "timeout": 0.2}
            changed: dict[str, Any] = {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
        else:
            changed = {"EMAIL_BACKEND": backend, "EMAIL_HOST": host, "EMAIL_PORT": port, "EMAIL_TIMEOUT": 0.2}
        with override_settings(**changed):
            yield server


def test_silent_mail_server_delays_no_page_and_the_code_is_sent_once(
    make_user: Any, request: pytest.FixtureRequest
) -> None:
    """No page connects to it. The worker does, gives up, and sends the message when the server is well."""
    make_user("known@live.example")
    browser = Client()
    with silent_mail_server() as server:
        assert browser.post("/accounts/signup/", SIGN_UP).status_code == 302
        assert Client().post("/accounts/password/reset/", {"email": "known@live.example"}).status_code == 302
        request.getfixturevalue("world")  # places an order
        assert set(Notification.objects.values_list("event", flat=True)) >= {"account_code", "order_placed"}
        with pytest.raises(BlockingIOError):
            server.accept()

        waiting = Notification.objects.get(address=EMAIL)
        Notification.objects.exclude(pk=waiting.pk).delete()
        assert delivery.deliver_due() == 1
        server.accept()[0].close()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.attempts, mail.outbox) == (State.QUEUED, 1, [])

    Notification.objects.update(due_at=timezone.now())
    for _run in range(2):
        delivery.deliver_due()
    (message,) = mail.outbox
    assert message.to == [EMAIL]
    assert browser.post("/accounts/confirm-email/", {"code": code_in(message)}).status_code == 302
    assert EmailAddress.objects.get(email=EMAIL).verified


def test_every_mail_of_allauth_is_known() -> None:
    """A new version or app of allauth may send further e-mails: add them to ``accounts.mails``."""
    installed = [Path(app.path) for app in apps.get_app_configs() if app.name.startswith("allauth")]
    folder = Path(allauth.__file__).parent / "templates"
    found = {
        str(path.relative_to(folder)).removesuffix("_message.txt")
        for path in folder.glob("*/email/*_message.txt")
        if path.parent.parent.name in {app.name for app in installed}
    }
    known = {*mails.CODES, *mails.CHANGES, *mails.RESETS, "account/email/account_already_exists", *LINKS}

    assert found - {"account/email/base"} == known


def values(prefix: str) -> dict[str, Any]:
    return {"from_email": "a@live.example", "to_email": "b@live.example", "deleted_email": "c@live.example"}


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_mail_has_subject_text_and_html_of_the_shop(language: str) -> None:
    prefixes = [*mails.CODES, *mails.CHANGES, "account/email/unknown_account", "account/email/account_already_exists"]
    code, seed = mails.new_code()
    with override(language):
        for prefix in prefixes:
            mails.request_mail(prefix, EMAIL, values(prefix), seed=seed)

    messages = sent_mails()

    assert len(messages) == len(prefixes)
    assert list(Notification.objects.exclude(state=State.SENT)) == []
    for prefix, message in zip(prefixes, messages, strict=True):
        html = str(message.alternatives[0].content)
        assert f'<html lang="{language}">' in html
        assert "Acacia" in html
        assert message.body.rstrip().endswith("Acacia")
        assert ("Guten Tag," in message.body) == (language == "de")
        assert ("Hello," in message.body) == (language == "en")
        assert "None" not in message.body + html
        if prefix in mails.CODES:
            assert code_in(message) == code == CODE.findall(html.replace(">", "\n").replace("<", "\n"))[0]
        else:
            assert "http://127.0.0.1:8000/accounts/" in message.body
            assert "http://127.0.0.1:8000/accounts/" in html
    assert len({message.subject for message in messages}) == 6


def test_code_of_a_new_password_works_and_its_owner_gets_a_mail(make_user: Any) -> None:
    make_user(EMAIL)
    browser = Client()
    browser.post("/accounts/password/reset/", {"email": EMAIL})
    (message,) = sent_mails()

    confirmed = browser.post("/accounts/password/reset/confirm/", {"code": code_in(message)})
    new = {"password1": "another-odd-one-43", "password2": "another-odd-one-43"}
    done = browser.post(confirmed["Location"], new)

    assert (confirmed.status_code, done.status_code) == (302, 302)
    assert Api(Client()).post(f"{AUTH}login/", {"email": EMAIL, "password": new["password1"]}).status_code == 200
    assert [each.subject for each in sent_mails()] == ["Reset your password", "Your account was changed"]
    assert "The password was reset." in mail.outbox[1].body


def stored_text() -> str:
    """Every value of the tables of messages and of the queue."""
    models = [*apps.get_app_config("shop_notify").get_models(), *apps.get_app_config("django_q").get_models()]
    return json.dumps([list(model._default_manager.values()) for model in models], default=str)


def test_code_is_in_no_row_page_response_export_or_log(make_user: Any, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    user = make_user(EMAIL)
    Client().post("/accounts/password/reset/", {"email": EMAIL})
    seen = [stored_text()]
    code = code_in(sent_mails()[0])
    row = Notification.objects.get()
    assert (row.recipient_key, row.state, row.context["purpose"]) == (f"user:{user.pk}", State.SENT, "reset")
    assert "******" in row.text
    boss = Client()
    boss.force_login(make_user("boss@live.example", is_staff=True, is_superuser=True))
    pages = [
        f"/admin/shop_notify/notification/{row.pk}/change/",
        f"/admin/shop_notify/notification/{row.pk}/html/",
        f"/api/v1/notifications/staff/{row.public_id}/",
        f"/api/v1/notifications/staff/{row.public_id}/preview/",
    ]
    for path in pages:
        response = boss.get(path)
        assert response.status_code == 200, path
        seen.append(response.content.decode())

    seen += [stored_text(), caplog.text, json.dumps(personal_data.export_personal_data({"emails": [EMAIL]}))]

    for text in seen:
        assert code not in text
        assert code.replace("-", "") not in text


def test_code_that_waits_in_the_outbox_works_after_the_secret_key_was_changed(make_user: Any, settings: Any) -> None:
    make_user(EMAIL)
    browser = Client()
    browser.post("/accounts/password/reset/", {"email": EMAIL})
    assert mail.outbox == []
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new" * 20, [settings.SECRET_KEY]

    response = browser.post("/accounts/password/reset/confirm/", {"code": code_in(sent_mails()[0])})
    assert (response.status_code, response["Location"]) == (302, "/accounts/password/reset/complete/")


def test_code_of_a_key_that_is_gone_and_of_no_seed_is_not_sent(make_user: Any, settings: Any) -> None:
    make_user(EMAIL)
    Client().post("/accounts/password/reset/", {"email": EMAIL})
    settings.SECRET_KEY = "new" * 20
    mails.request_mail("account/email/login_code", EMAIL, {})

    assert sent_mails() == []
    assert {row.state for row in Notification.objects.all()} == {State.QUEUED}
    with pytest.raises(BadSignature):
        mails.code_of({"seed": ""})


def test_staff_cannot_send_a_code_to_themselves(make_user: Any) -> None:
    """Whoever may send messages again could ask for the administrator's password and take the code."""
    make_user("boss@live.example", is_staff=True, is_superuser=True)
    clerk = make_user("clerk@live.example", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="shop_notify"))
    Client().post("/accounts/password/reset/", {"email": "boss@live.example"})
    row = Notification.objects.get()
    with pytest.raises(NotRetryable):
        outbox.resend(row, address="clerk@live.example")
    browser = Client()
    browser.force_login(clerk)

    refused = browser.post(
        f"/api/v1/notifications/staff/{row.public_id}/resend/", {"address": "clerk@live.example"}, "application/json"
    )
    page = browser.post(f"/admin/shop_notify/notification/{row.pk}/resend/", {"address": "clerk@live.example"})

    assert (refused.status_code, page.status_code) == (409, 200)
    assert Notification.objects.count() == 1
    assert [message.to for message in sent_mails()] == [["boss@live.example"]]


def test_late_code_is_not_sent_and_old_rows_are_pruned(make_user: Any) -> None:
    make_user(EMAIL)
    Client().post("/accounts/password/reset/", {"email": EMAIL})
    Notification.objects.update(expires_at=timezone.now())

    assert sent_mails() == []
    assert Notification.objects.get().state == State.SKIPPED
    Notification.objects.update(updated_at=timezone.now() - timedelta(days=91))
    assert prune() == 1
