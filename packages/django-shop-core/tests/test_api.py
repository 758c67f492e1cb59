"""Problem documents, bodies and credentials of a router on a host project without any handlers for its errors."""

import json
from http import HTTPStatus

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, IntegrityError, OperationalError
from django.http import Http404
from django.test import Client, RequestFactory
from django.urls import path
from ninja import NinjaAPI, Router
from ninja.errors import HttpError
from ninja.security import APIKeyCookie, APIKeyHeader, APIKeyQuery, HttpBearer, django_auth
from shop_core.api import bodies, problems, types
from shop_core.api.auth import GUEST, ConfiguredAuth, has_credential
from shop_core.conf import BaseSettings
from shop_core.exceptions import Busy, NotAuthenticated, PermissionMissing, ShopError, TooManyRequests

pytestmark = pytest.mark.django_db


class ThingError(ShopError):
    problems = f"{__name__}.PROBLEMS"


class ThingGone(ThingError):
    code = "thing_gone"


class ThingMissing(ThingGone):
    code = "thing_missing"


PROBLEMS = problems.Problems(
    sentences={reason: f"Sentence of {reason}." for reason in problems.REASONS},
    statuses={ThingGone: 404},
    type_base=lambda: "https://shop.example/problems/",
)
OTHER = problems.Problems(sentences=PROBLEMS.sentences, statuses={}, type_base=PROBLEMS.type_base)
router = Router()
PROBLEMS.install(router)
RAISED = {
    "gone": ThingGone("The thing is gone."),
    "missing": ThingMissing("It never was."),
    "other": ThingError("Wrong.", field="name", extra={"limit": 3}),
    "busy": Busy(),
    "404": Http404(),
    "http": HttpError(403, "No."),
    "large": RequestDataTooBig(),
    "suspicious": SuspiciousOperation(),
    "locked": OperationalError("database is locked"),
    "integrity": IntegrityError("duplicate"),
    "data": DataError("too long"),
    "overflow": OverflowError("2**70"),
    "bug": ZeroDivisionError("a bug"),
}


class Body(types.In):
    name: types.ShortText = ""
    price: types.Money = None
    at: types.When = None
    data: object = None


@router.get("/raise/{name}")
def raise_it(request, name: str):
    raise RAISED[name]


@router.post("/body")
def read(request, payload: Body):
    return {"name": payload.name}


class KeyHeader(APIKeyHeader):
    param_name = "X-Key"

    def authenticate(self, request, key):
        return "app" if key == "good" else None


class KeyQuery(APIKeyQuery):
    param_name = "key"

    def authenticate(self, request, key):
        return "app" if key == "good" else None


class KeyCookie(APIKeyCookie):
    param_name = "key"

    def __init__(self):
        super().__init__(csrf=False)

    def authenticate(self, request, key):
        return "app" if key == "good" else None


class Bearer(HttpBearer):
    def authenticate(self, request, token):
        return "app" if token == "good" else None


GROUP = [KeyHeader, KeyQuery(), KeyCookie, Bearer(), django_auth]


class Settings(BaseSettings):
    setting = "THINGS"

    @property
    def AUTH(self):
        return self.get("AUTH", f"{__name__}.GROUP")


@router.get("/guests", auth=ConfiguredAuth(Settings(), "AUTH", guests=True))
def guests(request):
    return {"caller": str(request.auth)}


@router.post("/members", auth=ConfiguredAuth(Settings(), "AUTH"))
def members(request):
    return {"caller": str(request.auth)}


api = NinjaAPI(urls_namespace="core-tests")
api.add_router("/things/", router)


@api.get("/hosts/{name}")
def host_operation(request, name: str):
    raise RAISED[name]


PROBLEMS.register(api)
OTHER.register(api)
urlpatterns = [path("api/", api.urls)]


@pytest.fixture
def client(settings):
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


CASES = [
    ("gone", 404, "thing_gone", "The thing is gone."),
    ("missing", 404, "thing_missing", "It never was."),
    ("other", 409, "error", "Wrong."),
    ("busy", 503, "busy", "Sentence of busy."),
    ("404", 404, "not_found", "Sentence of not_found."),
    ("http", 403, "permission_denied", "No."),
    ("large", 413, "too_large", "Sentence of body_too_large."),
    ("suspicious", 400, "bad_request", "Sentence of unreadable_request."),
    ("locked", 503, "unavailable", "Sentence of unavailable."),
    ("integrity", 409, "conflict", "Sentence of conflict."),
    ("data", 422, "invalid", "Sentence of value_not_stored."),
    ("overflow", 422, "invalid", "Sentence of value_not_stored."),
]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotAuthenticated(), 401),
        (PermissionMissing("things.add_thing"), 403),
        (TooManyRequests(retry_after=7), 429),
        (Busy(), 503),
    ],
)
def test_errors_of_core_have_their_status_without_an_entry_in_the_table(error, status):
    response = OTHER.from_exception(error)
    assert response.status_code == status
    assert json.loads(response.content)["title"] == HTTPStatus(status).phrase
    assert response.headers.get("Retry-After") == {429: "7", 503: "1"}.get(status)


@pytest.mark.parametrize(("name", "status", "code", "detail"), CASES)
def test_errors_become_problem_documents(client, name, status, code, detail):
    response = client.get(f"/api/things/raise/{name}")
    problem = response.json()
    assert response.headers["Content-Type"] == problems.CONTENT_TYPE
    assert (response.status_code, problem["status"], problem["code"], problem["detail"]) == (
        status,
        status,
        code,
        detail,
    )
    assert problem["type"] == f"https://shop.example/problems/{code}/"
    assert response.headers.get("Retry-After") == ("1" if status == 503 else None)


@pytest.mark.parametrize("name", [case[0] for case in CASES if case[0] in {"gone", "missing", "other"}])
def test_error_uses_the_tables_of_its_own_package_whatever_the_order_of_registration(client, name):
    theirs = client.get(f"/api/hosts/{name}")
    ours = client.get(f"/api/things/raise/{name}")
    assert (theirs.status_code, theirs.json()) == (ours.status_code, ours.json())


def test_problem_has_the_field_and_the_extra_of_the_error(client):
    problem = client.get("/api/things/raise/other").json()
    assert problem["errors"] == [{"field": "name", "code": "error", "message": "Wrong."}]
    assert problem["limit"] == 3


def test_head_is_a_get_without_its_body_and_not_in_the_document(client):
    full, head = client.get("/api/things/guests"), client.head("/api/things/guests")
    assert (head.status_code, head.content, head["Content-Type"]) == (200, b"", full["Content-Type"])
    assert client.head("/api/things/raise/gone").status_code == 404
    assert client.head("/api/things/body").status_code == 405
    assert {method for path in api.get_openapi_schema()["paths"].values() for method in path} == {"get", "post"}


def test_unexpected_exception_is_not_converted(client):
    assert client.get("/api/things/raise/bug").status_code == 500
    assert client.get("/api/hosts/bug").status_code == 500


BODIES = [
    (b'{"name": "a"}', "application/json", 200, None),
    (b"", "application/json", 422, None),
    (b'{"name": "a"}', "text/plain", 415, "not_json"),
    (b'{"name": "a", "name": "b"}', "application/json", 400, "unreadable_json"),
    (b'{"name": NaN}', "application/json", 400, "unreadable_json"),
    (b"[" * 50_000, "application/json", 400, "unreadable_json"),
    ('{"name": "a"}'.encode("utf-16"), "application/json", 400, "unreadable_json"),
    (b'{"name": "a\\u0000"}', "application/json", 422, "unsafe_text"),
    (b'{"\\ud800": "a"}', "application/json", 422, "unsafe_text"),
    (b'{"data": ' + b"9" * 30 + b"}", "application/json", 422, "integer_too_large"),
    (b'{"data": 1e999}', "application/json", 422, "number_not_finite"),
    (b'{"data": ' + b"[" * 21 + b"]" * 21 + b"}", "application/json", 422, "too_deep"),
    (b'{"name": "' + b"a" * bodies.MAX_BODY_BYTES + b'"}', "application/json", 413, "body_too_large"),
    (b'{"name": "' + b"a" * 3_000_000 + b'"}', "application/json", 413, "body_too_large"),
]


@pytest.mark.parametrize(("body", "media_type", "status", "reason"), BODIES)
def test_invalid_bodies_are_refused(client, body, media_type, status, reason):
    response = client.generic("POST", "/api/things/body", body, content_type=media_type)
    assert response.status_code == status
    if reason:
        assert response.json()["detail"] == f"Sentence of {reason}."


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("price", "1e5", "Sentence of not_an_amount."),
        ("price", "-1", "Sentence of not_an_amount."),
        ("price", 5, "Sentence of not_an_amount."),
        ("at", "2026-01-31T12:00:00", "Sentence of time_without_offset."),
        ("at", "1066-10-14T12:00:00Z", "Sentence of time_out_of_range."),
        ("id", 5, "Extra inputs are not permitted"),
    ],
)
def test_invalid_field_has_the_sentence_of_its_reason(client, field, value, message):
    response = client.post("/api/things/body", json.dumps({field: value}), content_type="application/json")
    [error] = response.json()["errors"]
    assert (response.status_code, error["field"], error["message"]) == (422, field, message)


@pytest.mark.parametrize("value", ["12.5", "0", "12"])
def test_plain_amounts_are_accepted(client, value):
    response = client.post("/api/things/body", json.dumps({"price": value}), content_type="application/json")
    assert response.status_code == 200


def test_large_form_is_refused_before_it_is_read():
    request = RequestFactory().post("/", {"a": "b"})
    bodies.check(request, wants_json=False)
    request.META["CONTENT_LENGTH"] = str(bodies.MAX_FORM_BYTES + 1)
    with pytest.raises(bodies.BodyRefused, match="form_too_large"):
        bodies.check(request, wants_json=False)


WAYS = {
    "header": lambda key: {"headers": {"X-Key": key}},
    "query": lambda key: {"query_params": {"key": key}},
    "bearer": lambda key: {"headers": {"Authorization": f"Bearer {key}"}},
    "cookie": lambda key: {"cookie": key},
}


def get(client, way, key):
    extra = WAYS[way](key)
    if cookie := extra.pop("cookie", None):
        client.cookies["key"] = cookie
    if query := extra.pop("query_params", None):
        return client.get("/api/things/guests", query, **extra)
    return client.get("/api/things/guests", **extra)


@pytest.mark.parametrize("way", WAYS)
def test_valid_credential_is_accepted_and_invalid_one_refused(client, way):
    assert get(client, way, "good").json() == {"caller": "app"}
    refused = get(client, way, "bad")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert refused.json()["detail"] == "Sentence of not_authenticated."


def test_caller_without_credentials_is_a_guest_or_refused(client):
    assert client.get("/api/things/guests").json() == {"caller": GUEST}
    assert client.post("/api/things/members").status_code == 401


def test_authorization_header_that_no_configured_auth_reads_is_refused():
    class SessionOnly(BaseSettings):
        setting = "THINGS"
        AUTH = "ninja.security.django_auth"

    guests = ConfiguredAuth(SessionOnly(), "AUTH", guests=True)
    assert guests(RequestFactory().get("/")) == GUEST
    assert guests(RequestFactory().get("/", headers={"Authorization": "Bearer nonsense"})) is None


def test_session_cookie_of_a_guest_is_not_an_invalid_credential(client):
    client.cookies["sessionid"] = "gone"
    assert client.get("/api/things/guests").json() == {"caller": GUEST}
    client.force_login(User.objects.create(username="ann"))
    assert client.get("/api/things/guests").json() == {"caller": "ann"}


def test_session_requires_the_csrf_token(settings):
    settings.ROOT_URLCONF = __name__
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create(username="ann"))
    response = strict.post("/api/things/members")
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")


def session_of_the_site(request):
    """A function as an auth: it declares no parameter."""
    return getattr(request, "user", None)


def test_function_is_asked_whatever_the_request_carries(settings):
    settings.THINGS = {"AUTH": f"{__name__}.session_of_the_site"}
    guests = ConfiguredAuth(Settings(), "AUTH", guests=True)
    basic = RequestFactory().get("/", headers={"Authorization": "Basic x"})
    assert guests(basic) is None
    basic.user = AnonymousUser()
    assert guests(basic) is None
    basic.user = user = User(username="ann")
    assert guests(basic) == user
    assert not has_credential(basic, session_of_the_site)
    assert guests(RequestFactory().get("/")) == GUEST


class Session(BaseSettings):
    setting = "THINGS"
    AUTH = (f"{__name__}.Bearer", "ninja.security.django_auth")


def test_password_of_the_web_server_is_no_credential_unless_an_auth_reads_it():
    """Browsers send it with everything, as on a staging site."""
    guests = ConfiguredAuth(Session(), "AUTH", guests=True)
    request = RequestFactory().get("/", headers={"Authorization": "Basic eDp5"})
    assert guests(request) == GUEST
    request.COOKIES[django_settings.SESSION_COOKIE_NAME], request.user = "x", User(username="ann")
    assert guests(request).username == "ann"


def test_session_that_the_setting_does_not_name_is_a_guests(settings):
    settings.THINGS = {"AUTH": f"{__name__}.KeyHeader"}
    request = RequestFactory().post("/")
    request.COOKIES[django_settings.SESSION_COOKIE_NAME], request.user = "x", User(username="ann")
    assert ConfiguredAuth(Settings(), "AUTH", guests=True)(request) == GUEST
    assert request.user == AnonymousUser()


def key_of_a_program(request):
    """A function as an auth: it reads a parameter that it does not declare."""
    return "app" if request.GET.get("key") == "good" else None


def key_without_its_scope(request):
    """Sets the user as a token library does, and then refuses."""
    request.user = User(username="stranger")


UNDECLARED = [key_without_its_scope, key_of_a_program, django_auth]


def test_users_of_a_session_or_a_refused_key_are_not_the_user_of_a_programs_key(settings):
    """Otherwise a link with a program's key would act for whoever is logged in, without a CSRF token."""
    settings.THINGS = {"AUTH": f"{__name__}.UNDECLARED"}
    required = ConfiguredAuth(Settings(), "AUTH")
    for key, caller, user in (("?key=good", "app", AnonymousUser()), ("", ANN, ANN), ("?key=bad", ANN, ANN)):
        request = RequestFactory().get(f"/{key}")
        request.COOKIES[django_settings.SESSION_COOKIE_NAME], request.user = "x", ANN
        assert (required(request), request.user) == (caller, user), key
        assert (django_settings.SESSION_COOKIE_NAME in request.COOKIES) == (caller == ANN), key


ANN = User(pk=1, username="ann")


def test_session_cookie_on_a_site_without_sessions_is_a_guests(settings):
    settings.THINGS = {"AUTH": f"{__name__}.GROUP"}
    request = RequestFactory().get("/", {"key": "bad"})
    assert ConfiguredAuth(Settings(), "AUTH", guests=True)(request) is None
    assert request.user == AnonymousUser()
    request = RequestFactory().get("/")
    request.COOKIES[django_settings.SESSION_COOKIE_NAME] = "x"
    assert ConfiguredAuth(Settings(), "AUTH", guests=True)(request) == GUEST


async def later(_request):
    return None


class LaterKey(APIKeyHeader):
    async def authenticate(self, request, key):
        return None


@pytest.mark.parametrize("name", ["later", "LaterKey"])
def test_asynchronous_auth_is_refused(settings, name):
    """Its coroutine would be a caller whoever asks."""
    settings.THINGS = {"AUTH": f"{__name__}.{name}"}
    with pytest.raises(ImproperlyConfigured, match=f"{name}' in THINGS is asynchronous"):
        ConfiguredAuth(Settings(), "AUTH")(RequestFactory().get("/"))


def test_error_names_the_setting_that_cannot_be_imported(settings):
    settings.THINGS = {"AUTH": "testproject.nothing"}
    with pytest.raises(ImproperlyConfigured, match=r"'testproject.nothing' in THINGS cannot be imported"):
        ConfiguredAuth(Settings(), "AUTH").load()


def test_openapi_document_lists_the_security_schemes(settings):
    settings.ROOT_URLCONF = __name__
    document = api.get_openapi_schema()
    schemes = document["components"]["securitySchemes"]
    assert set(schemes) == {"KeyHeader", "KeyQuery", "KeyCookie", "Bearer", "SessionAuth"}
    assert schemes["KeyHeader"] == {"type": "apiKey", "in": "header", "name": "X-Key"}
