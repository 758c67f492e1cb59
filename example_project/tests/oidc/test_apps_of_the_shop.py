"""The shop as an OpenID Provider, tested with npm's ``openid-client`` and with Authlib."""

from __future__ import annotations

import io
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as site
from django.core.management import call_command

OAuth2Session = pytest.importorskip("authlib.integrations.requests_client", reason="pip install authlib").OAuth2Session
joserfc = pytest.importorskip("joserfc.jwt", reason="pip install authlib")
JoseError = pytest.importorskip("joserfc.errors").JoseError
KeySet = pytest.importorskip("joserfc.jwk").KeySet

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PROFILE = "/api/v1/auth/customers/profile/"
EXERCISED = {
    "issuer": "test_every_word_of_the_discovery_document_is_true",
    "authorization_endpoint": "authorize",
    "token_endpoint": "authorize",
    "userinfo_endpoint": "test_authlib_logs_in",
    "jwks_uri": "test_authlib_logs_in",
    "revocation_endpoint": "refresh, introspection, revocation",
    "introspection_endpoint": "refresh, introspection, revocation",
    "end_session_endpoint": "log-out from the app",
    "scopes_supported": "test_every_scope_can_be_had",
    "response_types_supported": "test_no_other_way_to_a_token_is_open",
    "grant_types_supported": "test_no_other_way_to_a_token_is_open",
    "code_challenge_methods_supported": "test_no_other_way_to_a_token_is_open",
    "id_token_signing_alg_values_supported": "test_authlib_logs_in",
    "subject_types_supported": "test_two_apps_see_the_same_person",
    "token_endpoint_auth_methods_supported": "client credentials; code and PKCE",
    "introspection_endpoint_auth_methods_supported": "test_introspection_takes_both_methods",
}
"""The entries of the discovery document, and the test or scenario of each."""


@pytest.mark.parametrize(
    "scenario",
    [
        "code and PKCE",
        "consent refused",
        "fewer scopes than requested",
        "the consent page",
        "refresh, introspection, revocation",
        "log-out from the app",
        "a foreign redirect URI",
    ],
)
def test_an_app(node, shop, user, make_app, scenario):
    make_app("app")
    make_app("server", secret="serversecret")

    assert node("app.mjs", scenario, shop) == "0 faults\n"


def test_an_app_of_the_house_needs_no_consent(node, shop, user, make_app):
    make_app("app", skip_consent=True)

    assert node("app.mjs", "no consent is requested", shop) == "0 faults\n"


def test_a_partner_with_what_the_command_printed(node, shop):
    output = io.StringIO()
    scopes = ["--scope", "shop:read", "--scope", "orders:read"]
    call_command("create_oidc_client", "Partner", "--client-credentials", *scopes, stdout=output)
    printed = dict(line.split(": ") for line in output.getvalue().splitlines())

    output = node("app.mjs", "client credentials", shop, printed["client_id"], printed["client_secret"])
    assert output == "0 faults\n"


@pytest.fixture
def discovery(shop: str) -> dict[str, Any]:
    return dict(requests.get(f"{shop}/.well-known/openid-configuration", timeout=10).json())


@pytest.fixture
def log_in(node, shop, user, discovery, app_port, monkeypatch):
    """Log in with Authlib: a session with tokens, and the tokens."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")

    def enter(client_id="server", secret="serversecret", scope="openid email", **options):
        session = OAuth2Session(
            client_id,
            secret,
            scope=scope,
            redirect_uri=f"http://127.0.0.1:{app_port}/callback",
            code_challenge_method="S256",
            **options,
        )
        verifier = "v" * 64
        url, _state = session.create_authorization_url(
            discovery["authorization_endpoint"], code_verifier=verifier, nonce="n"
        )
        response, _faults = node("app.mjs", "click", shop, url, str(app_port)).splitlines()
        tokens = session.fetch_token(
            discovery["token_endpoint"], authorization_response=response, code_verifier=verifier
        )
        return session, tokens

    return enter


def keys_of(discovery: dict[str, Any]) -> Any:
    return KeySet.import_key_set(requests.get(discovery["jwks_uri"], timeout=10).json())


def claims_of(token: str, discovery: dict[str, Any]) -> dict[str, Any]:
    """The claims of an ID token with a correct signature and issuer.

    Raises:
        JoseError: they are not.
    """
    found = joserfc.decode(token, keys_of(discovery), algorithms=discovery["id_token_signing_alg_values_supported"])
    registry = joserfc.JWTClaimsRegistry(
        iss={"essential": True, "value": discovery["issuer"]}, aud={"essential": True}, exp={"essential": True}
    )
    registry.validate(found.claims)
    return dict(found.claims)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_logs_in(log_in, make_app, discovery, shop, user, method):
    make_app("server", secret="serversecret")

    session, tokens = log_in(scope="openid email orders:read", token_endpoint_auth_method=method)

    claims = claims_of(tokens["id_token"], discovery)
    assert (claims["aud"], claims["nonce"], claims["sub"]) == ("server", "n", str(user.pk))
    userinfo = session.get(discovery["userinfo_endpoint"]).json()
    assert (userinfo["sub"], userinfo["email"]) == (str(user.pk), user.email)
    assert session.get(shop + PROFILE).json()["email"] == user.email
    newer = session.refresh_token(discovery["token_endpoint"])
    assert newer["access_token"] != tokens["access_token"]
    assert session.get(shop + PROFILE).status_code == 200


def test_every_word_of_the_discovery_document_is_true(discovery, shop):
    assert set(discovery) == set(EXERCISED)
    assert discovery["issuer"] == shop
    for name, value in discovery.items():
        if name.endswith(("_endpoint", "_uri")):
            assert value.startswith(f"{shop}/")
            assert requests.get(value, timeout=10).status_code in {200, 400, 401, 405}, name


def test_the_document_is_the_same_by_another_host_name(discovery, shop):
    other = requests.get(f"{shop.replace('localhost', '127.0.0.1')}/.well-known/openid-configuration", timeout=10)

    assert other.json() == discovery


def test_every_scope_can_be_had(discovery, make_app, shop):
    scopes = [scope for scope in discovery["scopes_supported"] if scope not in {"openid", "profile", "email"}]
    partner = make_app("partner", secret="partnersecret", scopes=scopes)
    partner.set_grant_types(["client_credentials"])
    partner.save()

    response = requests.post(
        discovery["token_endpoint"],
        data={"grant_type": "client_credentials", "scope": " ".join(scopes)},
        auth=("partner", "partnersecret"),
        timeout=10,
    )

    assert response.status_code == 200
    assert set(response.json()["scope"].split()) == {"shop:read", "shop:write", "orders:read", "orders:write", "staff"}


@pytest.mark.parametrize(
    "change",
    [
        {"response_type": "token"},
        {"response_type": "id_token"},
        {"response_type": "code id_token"},
        {"code_challenge": ""},
    ],
)
def test_no_other_way_to_a_token_is_open(node, shop, user, make_app, discovery, change, client):
    """What the document does not list is refused: other flows, a public app without PKCE."""
    make_app("app")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    asked = {
        "client_id": "app",
        "response_type": "code",
        "redirect_uri": "http://127.0.0.1:1/callback",
        "scope": "openid",
        "nonce": "n",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
        **change,
    }

    response = client.get("/identity/o/authorize", {name: value for name, value in asked.items() if value})

    assert discovery["response_types_supported"] == ["code"]
    assert discovery["code_challenge_methods_supported"] == ["S256"]
    assert response.status_code == 302
    assert "error=" in response["Location"]
    assert "code=" not in response["Location"].replace("error_code=", "")


@pytest.mark.parametrize("grant", ["password", "urn:ietf:params:oauth:grant-type:device_code", "implicit"])
def test_no_other_grant_is_open(make_app, discovery, user, grant):
    make_app("server", secret="serversecret")

    response = requests.post(
        discovery["token_endpoint"],
        data={"grant_type": grant, "username": user.email, "password": "a-long-and-odd-one-42", "device_code": "x"},
        auth=("server", "serversecret"),
        timeout=10,
    )

    assert grant not in discovery["grant_types_supported"]
    assert response.status_code in {400, 401}
    assert "access_token" not in response.json()


def test_introspection_takes_both_methods(log_in, make_app, discovery):
    make_app("server", secret="serversecret")
    _session, tokens = log_in()
    own = {"client_id": "server", "client_secret": "serversecret"}

    for sent in ({"auth": ("server", "serversecret")}, {"data": own}):
        data = {"token": tokens["access_token"], **sent.pop("data", {})}
        response = requests.post(discovery["introspection_endpoint"], data=data, timeout=10, **sent)
        assert response.json()["active"] is True
    nobody = requests.post(discovery["introspection_endpoint"], data={"token": tokens["access_token"]}, timeout=10)
    assert nobody.status_code == 401


def test_an_app_learns_nothing_about_tokens_of_another(log_in, make_app, discovery):
    make_app("server", secret="serversecret")
    make_app("nosy", secret="nosysecret")
    _session, tokens = log_in()

    response = requests.post(
        discovery["introspection_endpoint"],
        data={"token": tokens["access_token"]},
        auth=("nosy", "nosysecret"),
        timeout=10,
    )

    assert response.json() == {"active": False}


def test_two_apps_see_the_same_person(log_in, make_app, discovery):
    make_app("server", secret="serversecret")
    make_app("other", secret="othersecret")

    subjects = {
        claims_of(log_in(name, f"{name}secret")[1]["id_token"], discovery)["sub"] for name in ("server", "other")
    }

    assert discovery["subject_types_supported"] == ["public"]
    assert len(subjects) == 1


def new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*pem).decode()


def test_a_signature_of_the_old_key_is_valid_until_the_key_is_removed(log_in, make_app, discovery, settings):
    make_app("server", secret="serversecret")
    first = log_in()[1]["id_token"]
    old, new = site.IDP_OIDC_PRIVATE_KEYS[0]["pem"], new_key()

    settings.IDP_OIDC_PRIVATE_KEY = old
    settings.IDP_OIDC_PRIVATE_KEYS = [{"pem": new, "issued_at": "2020-01-01T00:00:00+00:00"}]
    second = log_in()[1]["id_token"]

    assert len(keys_of(discovery).keys) == 2
    assert claims_of(first, discovery)["sub"] == claims_of(second, discovery)["sub"]
    settings.IDP_OIDC_PRIVATE_KEY = new
    assert len(keys_of(discovery).keys) == 1
    assert claims_of(second, discovery)["aud"] == "server"
    with pytest.raises((JoseError, ValueError)):
        claims_of(first, discovery)
