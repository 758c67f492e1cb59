from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class FakeProvider(ThreadingHTTPServer):
    """An OpenID Provider as far as a relying party sees it. ``claims`` is what it says about who logs in."""

    claims: dict[str, Any]
    nonce: str = ""
    seen: list[dict[str, list[str]]]

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: FakeProvider

    def do_GET(self) -> None:
        issuer = self.server.issuer
        match urlsplit(self.path).path:
            case "/.well-known/openid-configuration":
                self.answer(
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
                self.answer({"keys": [{**key, "kid": "k", "use": "sig", "alg": "RS256"}]})
            case "/userinfo":
                self.answer(self.server.claims)
            case _other:
                self.send_error(404)

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.seen.append(body)
        now = int(time.time())
        token = {"iss": self.server.issuer, "aud": "shop", "iat": now, "exp": now + 60, **self.server.claims}
        signed = jwt.encode(token, KEY, algorithm="RS256", headers={"kid": "k"})
        self.answer({"access_token": "x", "token_type": "Bearer", "id_token": signed, "expires_in": 60})

    def answer(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def provider(settings: Any) -> Any:
    """A provider that the shop knows as ``work``."""
    server = FakeProvider(("127.0.0.1", 0), Handler)
    server.claims = {"sub": "1", "email": "new@example.org", "email_verified": True, "given_name": "New"}
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
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
