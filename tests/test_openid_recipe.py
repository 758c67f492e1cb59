"""The recipe for a site of one's own: its two blocks make a site on which a stranger logs in with a provider."""

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "howto" / "accounts-add-openid-to-your-site.md"
BLOCK = re.compile(
    r"^```\{code-block\} python\n:caption: mysite/(?P<name>\S+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)

SETTINGS = """
from hosts import base
from hosts.base import *
from mysite import settings_openid
from mysite.settings_openid import *

SECRET_KEY = "a key for a test that is long enough for its signatures"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = [*base.INSTALLED_APPS, *settings_openid.INSTALLED_APPS]
MIDDLEWARE = [*base.MIDDLEWARE, *settings_openid.MIDDLEWARE]
ROOT_URLCONF = "mysite.urls"
SHOP_ORDERS = {**base.SHOP_ORDERS, "VERIFIED_EMAILS": settings_openid.VERIFIED_EMAILS}
SILENCED_SYSTEM_CHECKS = ["shop_orders.W002"]  # SQLite
"""

URLS = """
from django.http import HttpResponse
from django.urls import path
from hosts.urls import urlpatterns as shop

from mysite.urls_openid import urlpatterns as openid

urlpatterns = [*openid, *shop, path("", lambda request: HttpResponse("home"))]
"""

STORY = """
import json
import os
from urllib.parse import parse_qs, urlsplit

import django

django.setup()
from django.core import mail
from django.core.management import call_command
from django.test.utils import setup_test_environment

setup_test_environment()
call_command("migrate", verbosity=0)
call_command("check", fail_level="WARNING")
from django.contrib.auth import get_user_model
from django.test import Client
from shop_orders.models import Customer, Order

SUMS = ("subtotal", "charges_total", "net_total", "tax_total", "total")
guest = Customer.objects.create(email="New@Example.org")
Order.objects.create(customer=guest, number="AAAAA-BBBBB", email=guest.email, currency="KES", **dict.fromkeys(SUMS, 0))
browser = Client()
issuer = os.environ["OIDC_ISSUER"]


def log_in(process="login"):
    start = browser.post(f"/accounts/oidc/work/login/?process={process}")
    sent = parse_qs(urlsplit(start["Location"]).query)
    return browser.get("/accounts/oidc/work/login/callback/", {"code": "c", "state": sent["state"][0]}), sent


page = browser.get("/accounts/login/").content.decode()
answer, sent = log_in()
user = get_user_model().objects.get()
claimed = Order.objects.get().customer.user == user
admin = browser.get("/admin/").status_code
connections = browser.get("/accounts/3rdparty/").content.decode()
out = browser.post("/accounts/logout/")["Location"]
failed = browser.get("/accounts/oidc/work/login/callback/", {"code": "c", "state": "guessed"})
print(json.dumps({
    "button": "/accounts/oidc/work/login/" in page,
    "pkce": sent["code_challenge_method"],
    "location": answer["Location"],
    "user": [user.email, user.is_staff, user.is_superuser, user.has_usable_password()],
    "claimed": claimed,
    "admin": admin,
    "linked": "Work" in connections,
    "logout": out.startswith(f"{issuer}/end?"),
    "failed": failed.status_code,
    "mails": len(mail.outbox),
}))
"""


class Provider(BaseHTTPRequestHandler):
    def do_GET(self):
        issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.respond(CLAIMS if self.path == "/userinfo" else discovery(issuer))

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        issuer = f"http://127.0.0.1:{self.server.server_port}"
        claims = {**CLAIMS, "iss": issuer, "aud": "shop", "iat": 0, "exp": 2**31}
        token = jwt.encode(claims, "k" * 32, algorithm="HS256")
        self.respond({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def respond(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Say nothing."""


CLAIMS = {"sub": "1", "email": "new@example.org", "email_verified": True, "groups": ["shop-staff"]}


def discovery(issuer):
    names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "end_session": "end"}
    known = {f"{name}_endpoint": f"{issuer}/{path}" for name, path in names.items()}
    return {"issuer": issuer, "jwks_uri": f"{issuer}/jwks", **known}


@pytest.fixture
def issuer():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_recipe_makes_a_site_with_the_log_in(tmp_path, issuer):
    site = tmp_path / "mysite"
    site.mkdir()
    blocks = {found["name"]: found["code"] for found in BLOCK.finditer(PAGE.read_text(encoding="utf-8"))}
    assert sorted(blocks) == ["settings_openid.py", "urls_openid.py"]
    for name, code in {**blocks, "__init__.py": "", "settings.py": SETTINGS, "urls.py": URLS}.items():
        (site / name).write_text(code, encoding="utf-8")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "mysite.settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "tests")]),
        "OIDC_ISSUER": issuer,
        "OIDC_CLIENT_ID": "shop",
        "OIDC_CLIENT_SECRET": "secret",
    }

    done = subprocess.run(
        [sys.executable, "-c", STORY],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "button": True,
        "pkce": ["S256"],
        "location": "/",
        "user": ["new@example.org", True, False, False],
        "claimed": True,
        "admin": 200,
        "linked": True,
        "logout": True,
        "failed": 401,
        "mails": 0,
    }
