from __future__ import annotations

import json
import uuid

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Permission
from django.core.handlers.asgi import ASGIHandler
from django.test import Client
from shop_notify import delivery
from shop_notify.models import Notification, Preference
from testproject.library import signals

pytest.importorskip("ninja", reason="needs django-shop-notify[api]")
pytestmark = pytest.mark.django_db

STAFF = "/api/notifications/staff/"
PREFERENCES = "/api/notifications/preferences/"
MEMBER = {"key": "member:7", "name": "Test Member", "email": "member@example.org"}


@pytest.fixture
def user(django_user_model):
    return django_user_model.objects.create_user("member", password="x")


@pytest.fixture
def staff(django_user_model):
    user = django_user_model.objects.create_user("clerk", password="x", is_staff=True)
    names = ["view_notification", "resend_notification"]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return client_of(user)


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


def send(client, method, path, body):
    return client.generic(method, path, json.dumps(body), "application/json")


def announce(number=1):
    payload = {
        "loan": {"number": f"L-{number}"},
        "book": {"title": "Arrow of God"},
        "recipients": {"member": {**MEMBER, "email": f"m{number}@example.org"}},
    }
    signals.loan_made.send(sender=None, payload=payload, event_id=f"e-{number}")


def newsletter():
    payload = {"headline": "h", "recipients": {"member": MEMBER}}
    signals.newsletter_published.send(sender=None, payload=payload, event_id=str(uuid.uuid4()))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", PREFERENCES),
        ("PATCH", PREFERENCES),
        ("GET", STAFF),
        ("GET", f"{STAFF}notifiers/"),
        ("POST", f"{STAFF}preview/"),
        ("POST", f"{STAFF}retry/"),
        ("GET", f"{STAFF}{uuid.UUID(int=1)}/"),
        ("GET", f"{STAFF}{uuid.UUID(int=1)}/preview/"),
        ("POST", f"{STAFF}{uuid.UUID(int=1)}/resend/"),
        ("POST", f"{STAFF}{uuid.UUID(int=1)}/retry/"),
    ],
)
class TestPermissions:
    BODIES = {"preview/": {"signal": "a.b", "payload": {}}, PREFERENCES: {"groups": {}}}

    def body(self, path):
        return next((body for end, body in self.BODIES.items() if path.endswith(end)), {})

    def test_anonymous_is_401(self, method, path):
        response = send(Client(), method, path, self.body(path))
        assert response.status_code == 401
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["code"] == "not_authenticated"

    def test_user_without_the_permission_is_403_on_staff_paths(self, method, path, user):
        response = send(client_of(user), method, path, self.body(path))
        assert response.status_code == (200 if path == PREFERENCES else 403)


def test_customer_reads_and_changes_own_preferences(user):
    client = client_of(user)
    assert client.get(PREFERENCES).json() == {
        "groups": [
            {
                "group": "",
                "label": "About your orders and account",
                "is_transactional": True,
                "notifiers": [{"alias": "email", "label": "Email", "is_enabled": True, "is_fixed": True}],
            },
            {
                "group": "news",
                "label": "News",
                "is_transactional": False,
                "notifiers": [{"alias": "email", "label": "Email", "is_enabled": True, "is_fixed": False}],
            },
        ]
    }
    response = send(client, "PATCH", PREFERENCES, {"groups": {"news": {"email": False}}})
    assert response.status_code == 200
    assert response.json()["groups"][1]["notifiers"][0]["is_enabled"] is False
    wish = Preference.objects.get()
    assert (wish.recipient_key, wish.group, wish.alias, wish.is_enabled) == (f"user:{user.pk}", "news", "email", False)


@pytest.mark.parametrize(
    "groups",
    [
        {"": {"email": False}},
        {"transactional": {"email": False}},
        {"news": {"pigeon": False}},
        {"news": {"email": "no"}},
    ],
)
def test_choice_that_cannot_be_changed_is_422_and_changes_nothing(user, groups):
    response = send(client_of(user), "PATCH", PREFERENCES, {"groups": groups})
    assert response.status_code == 422
    assert Preference.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [{"groups": {}, "is_staff": True}, {}, {"groups": []}, {"groups": {"a\u0000": {}}}, {"groups": {"x" * 300: {}}}],
)
def test_nonsense_is_422(user, body):
    assert send(client_of(user), "PATCH", PREFERENCES, body).status_code == 422


def test_list_is_filtered_and_paged_to_the_end(staff):
    for number in range(5):
        announce(number)
    seen, after = [], ""
    while after is not None:
        page = staff.get(STAFF, {"limit": 2, "after": after}).json()
        seen += [item["reference"] for item in page["items"]]
        after = page["next"]
    assert seen == ["L-4", "L-3", "L-2", "L-1", "L-0"]
    assert [item["address"] for item in staff.get(STAFF, {"q": "M3@example.org"}).json()["items"]] == [
        "m3@example.org"
    ]
    assert staff.get(STAFF, {"state": "dead"}).json()["items"] == []
    assert len(staff.get(STAFF, {"reference": "L-2", "alias": "email", "event": "loan_made"}).json()["items"]) == 1


def test_list_costs_the_same_queries_for_any_length(staff, django_assert_num_queries):
    for number in range(30):
        announce(number)
    staff.get(STAFF)
    with django_assert_num_queries(5):
        staff.get(STAFF, {"limit": 5})
    with django_assert_num_queries(5):
        staff.get(STAFF, {"limit": 30})


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"state": "lost"}, {"q": "a\0"}])
def test_wrong_filter_is_422(staff, query):
    assert staff.get(STAFF, query).status_code == 422


@pytest.mark.parametrize("path", ["nonsense/", f"{uuid.UUID(int=5)}/", "nonsense/preview/"])
def test_unknown_notification_is_404(staff, path):
    response = staff.get(STAFF + path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_detail_has_the_attempts_and_preview_the_text(staff):
    announce()
    row = Notification.objects.get()
    before = staff.get(f"{STAFF}{row.public_id}/preview/").json()
    assert (before["text"], before["subject"]) == ("Loan L-1: Arrow of God for Test Member.", "Your loan L-1")
    delivery.deliver_due()
    detail = staff.get(f"{STAFF}{row.public_id}/").json()
    assert (detail["state"], detail["attempts"], detail["origin"]) == ("sent", 1, None)
    assert [attempt["outcome"] for attempt in detail["attempt_log"]] == ["accepted"]
    assert staff.get(f"{STAFF}{row.public_id}/preview/").json()["html"] == "<p>Loan <b>L-1</b>: Arrow of God</p>"


def test_preview_of_a_signal_writes_nothing(staff):
    payload = {"loan": {"number": "L-9"}, "book": {"title": "T"}, "recipients": {"member": MEMBER}}
    body = {"signal": "testproject.library.signals.loan_made", "payload": payload}
    (shown,) = send(staff, "POST", f"{STAFF}preview/", body).json()
    assert (shown["address"], shown["text"], shown["problem"]) == (
        "member@example.org",
        "Loan L-9: T for Test Member.",
        "",
    )
    assert Notification.objects.count() == 0


def test_resend_to_another_address(staff):
    announce()
    row = Notification.objects.get()
    response = send(staff, "POST", f"{STAFF}{row.public_id}/resend/", {"address": "other@example.org"})
    assert response.status_code == 201
    assert (response.json()["address"], response.json()["origin"]) == ("other@example.org", str(row.public_id))


@pytest.mark.parametrize(
    "payload",
    [
        {"recipients": 5},
        {"recipients": {"member": 5}},
        {"recipients": {"member": ["x"]}},
        {"recipients": {"member": [5, None]}},
        {"recipients": {"member": {"email": 5, "name": {}, "language": [1]}}},
        {"recipients": {"member": {"email": "a\0@example.org", "key": "k" * 500}}},
        {"recipients": {"member": MEMBER}, "loan": "x", "book": ["y"]},
        {"recipients": {"member": {**MEMBER, "language": "../../x" * 9}}, "loan": {}},
        {"recipients": {"member": {**MEMBER, "language": "\0"}}, "loan": {"number": {"a": {"b": [None]}}}},
    ],
)
@pytest.mark.parametrize(
    "signal", ["testproject.library.signals.loan_made", "testproject.library.signals.book_returned", "no.such"]
)
def test_preview_of_any_payload_is_200_or_422_and_writes_nothing(staff, signal, payload):
    response = send(staff, "POST", f"{STAFF}preview/", {"signal": signal, "payload": payload})
    assert response.status_code in {200, 422}, response.content
    assert Notification.objects.count() == 0


@pytest.mark.parametrize("action", ["resend", "retry"])
def test_clerk_who_may_not_view_messages_sees_no_recipient(django_user_model, action):
    announce()
    Notification.objects.update(state="dead", last_error="m1@example.org is full")
    user = django_user_model.objects.create_user("sender", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="resend_notification"))
    row = Notification.objects.get()
    response = send(client_of(user), "POST", f"{STAFF}{row.public_id}/{action}/", {})
    assert response.status_code == {"resend": 201, "retry": 200}[action]
    assert response.json()["state"] == "queued"
    assert [word for word in ("m1@", "member:7", "Test Member") if word in response.content.decode()] == []


def test_resend_to_a_bad_address_is_422_and_writes_nothing(staff):
    announce()
    row = Notification.objects.get()
    response = send(staff, "POST", f"{STAFF}{row.public_id}/resend/", {"address": "a@example.org, b@example.org"})
    assert (response.status_code, response.json()["code"]) == (422, "address_refused")
    assert Notification.objects.count() == 1


def test_retry_of_one_and_of_all_dead(staff):
    for number in range(3):
        announce(number)
    Notification.objects.update(state="dead", attempts=8)
    first = Notification.objects.first()
    assert send(staff, "POST", f"{STAFF}{first.public_id}/retry/", {}).json()["state"] == "queued"
    assert send(staff, "POST", f"{STAFF}{first.public_id}/retry/", {}).status_code == 409
    assert send(staff, "POST", f"{STAFF}retry/", {"alias": "email"}).json() == {"retried": 2}
    assert set(Notification.objects.values_list("state", "attempts")) == {("queued", 0)}


def test_health_lists_each_notifier(staff):
    announce()
    Notification.objects.update(alias="pigeon")
    announce(2)
    health = {row["alias"]: row for row in staff.get(f"{STAFF}notifiers/").json()}
    assert list(health) == ["email", "memory", "pigeon"]
    assert (health["email"]["is_ready"], health["email"]["waiting"], health["email"]["channel"]) == (True, 1, "email")
    assert health["email"]["oldest_due_at"] is not None
    assert (health["pigeon"]["is_ready"], health["pigeon"]["waiting"]) == (False, 1)
    assert "pigeon" in health["pigeon"]["problem"]


def test_document_declares_every_error_as_a_problem():
    document = Client().get("/api/openapi.json").json()
    paths = {path: set(item) for path, item in document["paths"].items()}
    assert paths["/api/notifications/preferences/"] == {"get", "patch"}
    for item in document["paths"].values():
        for operation in item.values():
            assert operation["operationId"]
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"]


def test_session_without_csrf_token_is_refused(user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    response = send(client, "PATCH", PREFERENCES, {"groups": {"news": {"email": False}}})
    assert response.status_code == 403
    assert Preference.objects.count() == 0


def test_muted_recipient_gets_no_newsletter_but_every_transactional_message(user):
    Preference.objects.create(recipient_key="member:7", group="news", alias="email", is_enabled=False)
    newsletter()
    announce()
    delivery.deliver_due()
    assert dict(Notification.objects.values_list("event", "state")) == {"newsletter": "skipped", "loan_made": "sent"}


def test_a_large_body_without_a_length_gets_413():
    """An ASGI server passes a chunked body on without a length."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"{STAFF}preview/",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"host", b"testserver")],
    }
    parts = iter([b'{"name": "', *[b"x" * 100_000] * 3, b'"}'])
    sent = []

    async def receive():
        part = next(parts)
        return {"type": "http.request", "body": part, "more_body": part != b'"}'}

    async def send(message):
        sent.append(message)

    async def call():
        application = ASGIHandler()
        application.load_middleware(is_async=True)
        with await application.read_body(receive) as body:
            request, _error = application.create_request(scope, body)
            await application.send_response(await application.get_response_async(request), send)

    async_to_sync(call)()
    assert sent[0]["status"] == 413
