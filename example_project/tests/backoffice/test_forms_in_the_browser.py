"""The catalogue's forms in the admin, in headless Chromium. Needs what the shop's browser tests need."""

from __future__ import annotations

import io

import pytest
from accounts.models import User
from django.conf import settings
from django.test import Client
from django.urls import reverse
from PIL import Image
from shop_catalog import images
from shop_catalog.models import Product

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_forms_of_the_catalogue_name_all_their_fields(live_server, catalogue, node):
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

    assert node("forms.mjs", live_server.url, session, *pages) == "0 faults\n"
