"""The catalogue's forms in the admin, in headless Chromium. Needs what the shop's browser tests need."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from accounts.models import User
from django.conf import settings
from django.test import Client
from django.urls import reverse
from PIL import Image
from shop_catalog import images
from shop_catalog.models import Product

HERE = Path(__file__).resolve().parents[1] / "storefront" / "browser"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not shutil.which("node"), reason="node is not installed"),
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed"),
    pytest.mark.skipif(not (HERE / "node_modules").is_dir(), reason="npm ci was not run in tests/storefront/browser"),
]


def test_forms_of_the_catalogue_name_all_their_fields(live_server, shelves):
    mug, shirt = Product.objects.get(sku="MUG"), Product.objects.get(sku="SHIRT")
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    picture.seek(0)
    images.add(mug, file=picture, alt="A mug")
    chief = Client()
    user = User.objects.create_superuser("staff@example.org", "a-long-and-odd-one-42")
    chief.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = chief.cookies[settings.SESSION_COOKIE_NAME].value
    pages = [reverse(f"admin:shop_catalog_{model}_add") for model in ("product", "category")]
    pages += [reverse("admin:shop_catalog_product_change", args=[product.pk]) for product in (mug, shirt)]

    done = subprocess.run(
        ["node", "forms.mjs", live_server.url, session, *pages],
        cwd=HERE,
        env={**os.environ, "CHROMIUM": CHROMIUM},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, done.stderr or done.stdout
