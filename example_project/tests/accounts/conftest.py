from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from accounts.models import User
from allauth.idp.oidc.models import Client as App
from allauth.idp.oidc.models import Token
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.utils import timezone
from shop_catalog import categories, inventory, products, reviews
from shop_notify.models import Notification
from shop_orders import customers, payments
from shop_orders.models import Order
from tests.accounts.matrix import SCOPES, TOKENS, like, log_in

API = "/api/v1"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class FakeProvider(ThreadingHTTPServer):
    """An OpenID Provider as far as a relying party sees it. ``claims`` are its claims about the user."""

    claims: dict[str, Any]
    raw: dict[str, tuple[int, str, bytes]]
    """Responses that are sent as they are, for paths: status, media type and body."""
    userinfo: dict[str, Any] | None = None
    """The userinfo, if it differs from the claims in the ID token."""
    seen: list[dict[str, list[str]]]

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: FakeProvider

    def do_GET(self) -> None:
        issuer = self.server.issuer
        if self.is_raw():
            return
        match urlsplit(self.path).path:
            case "/.well-known/openid-configuration":
                self.respond(
                    {
                        "issuer": issuer,
                        "authorization_endpoint": f"{issuer}/authorize",
                        "token_endpoint": f"{issuer}/token",
                        "userinfo_endpoint": f"{issuer}/userinfo",
                        "jwks_uri": f"{issuer}/jwks",
                    }
                )
            case "/jwks":
                key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
                self.respond({"keys": [{**key, "kid": "k", "use": "sig", "alg": "RS256"}]})
            case "/userinfo":
                self.respond(self.server.claims if self.server.userinfo is None else self.server.userinfo)
            case _other:
                self.send_error(404)

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.seen.append(body)
        if self.is_raw():
            return
        now = int(time.time())
        token = {"iss": self.server.issuer, "aud": "shop", "iat": now, "exp": now + 60, **self.server.claims}
        signed = jwt.encode(token, KEY, algorithm="RS256", headers={"kid": "k"})
        self.respond({"access_token": "x", "token_type": "Bearer", "id_token": signed, "expires_in": 60})

    def is_raw(self) -> bool:
        """Send the raw response of this path, if it has one."""
        status, kind, body = self.server.raw.get(urlsplit(self.path).path, (0, "", b""))
        if status:
            self.send(status, kind, body)
        return bool(status)

    def respond(self, content: dict[str, Any]) -> None:
        self.send(200, "application/json", json.dumps(content).encode())

    def send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def provider(settings: Any) -> Any:
    """A provider that the shop is configured with as ``work``."""
    server = FakeProvider(("127.0.0.1", 0), Handler)
    server.claims = {"sub": "1", "email": "new@example.org", "email_verified": True, "given_name": "New"}
    server.seen = []
    server.raw = {}
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    app = {
        "provider_id": "work",
        "name": "Work",
        "client_id": "shop",
        "secret": "shop-secret",
        "settings": {"server_url": server.issuer, "oauth_pkce_enabled": True},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


MakeToken = Callable[[User | None, list[str]], str]


@pytest.fixture
def world(make_user: Callable[..., Any]) -> dict[str, str]:
    """An order with its owner's data, as parameters of paths."""
    owner = make_user("owner@example.org")
    kitchen = categories.create("Kitchen")
    mug = products.create(sku="MUG", name="Market mug", price=Decimal(950), categories=[kitchen])
    inventory.receive({"MUG": 10}, reference="first")
    browser = Client()
    browser.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    browser.post(f"{API}/orders/cart/add_item/", {"product": "MUG"}, content_type="application/json")
    placed = browser.post(
        f"{API}/orders/orders/",
        {
            "contact": {"email": owner.email, "name": "Test Customer", "phone": "0712 345 678"},
            "shipping_address": {"name": "Test Customer", "line1": "Court 1", "city": "Nairobi", "country": "KE"},
            "delivery": "home",
            "payment_provider": "on_delivery",
        },
        content_type="application/json",
    )
    assert placed.status_code == 201, placed.content
    review = reviews.submit(mug, user=owner, rating=5, title="Solid")
    note = Notification.objects.create(
        event="order_placed", alias="email", channel="email", address="owner@example.org", state="sent"
    )
    order = Order.objects.get()
    return {
        "number": order.number,
        "payment_id": str(payments.start(order.pk).public_id),
        "id": str(review.public_id),
        "notification_id": str(note.public_id),
    }


@pytest.fixture
def people(world: dict[str, str], make_user: Callable[..., User]) -> dict[str, User]:
    """The callers: the owner, another customer, and staff without and with the shop's permissions."""
    manager = make_user("manager@example.org", is_staff=True)
    manager.user_permissions.set(Permission.objects.filter(content_type__app_label__startswith="shop_"))
    return {
        "owner": User.objects.get(email="owner@example.org"),
        "stranger": make_user("stranger@example.org"),
        "staff_without": make_user("clerk@example.org", is_staff=True),
        "staff": manager,
    }


@pytest.fixture
def make_token(db: None) -> MakeToken:
    """Access tokens of one app, as the provider issues them."""
    app = App.objects.create(id="app", name="The App")

    def make(user: User | None, scopes: list[str]) -> str:
        value = f"token-{user.pk if user else 'nobody'}-{'-'.join(scopes)}"
        token = Token(client=app, user=user, type="at", expires_at=timezone.now() + timedelta(hours=1))
        token.set_value(value)
        token.set_scopes(scopes)
        token.save()
        return value

    return make


@pytest.fixture
def paths(world: dict[str, str], people: dict[str, User]) -> dict[str, str]:
    """The parameters of the routes: the owner's data, and guesses."""
    kept = customers.set_addresses(customers.for_user(people["owner"]), [{"line1": "x", "city": "y", "country": "KE"}])
    return {
        "alias": "email",
        "app_label": "shop_orders",
        "client": "app",
        "code": "not_found",
        "content_type_id": str(ContentType.objects.get_for_model(Order).pk),
        "id": str(people["owner"].pk),
        "language": "de",
        "name": "confirm",
        "file": "products.csv",
        "number": world["number"],
        "object_id": "1",
        "order_id": str(Order.objects.get().pk),
        "path": "x.png",
        "payment_id": str(uuid.uuid4()),
        "pk": str(Notification.objects.get().pk),
        "provider_id": "work",
        "public_id": str(kept[0].public_id),
        "secret": "guess",
        "section": "products",
        "slug": "market-mug",
        "step": "verify",
        "token": "guess",
        "url": "nothing/",
    }


@pytest.fixture
def visitor(
    request: pytest.FixtureRequest, people: dict[str, User], make_token: Callable[..., str]
) -> tuple[str, Callable[[str], Client]]:
    """The caller's name, and a function that returns a new client for a path, with the caller's session or bearer
    token.
    """
    name: str = request.param
    match name:
        case "anonymous":
            token = ""
        case "partner":
            token = make_token(None, SCOPES)
        case "every scope of the owner":
            token = make_token(people["owner"], SCOPES)
        case "every scope of staff":
            token = make_token(people["staff"], SCOPES)
        case _other:
            token = log_in(people["owner" if name in TOKENS else name])
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    nobody, session = Client(), Client()
    if name in people:
        session.force_login(people[name], backend="django.contrib.auth.backends.ModelBackend")

    def client_for(path: str) -> Client:
        by_token = name in TOKENS or path.startswith("/_allauth/app/")
        return like(nobody if by_token else session, headers=bearer if by_token else {}, raise_request_exception=False)

    return name, client_for
