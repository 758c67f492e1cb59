"""Fixtures of the whole suite."""

import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection
from django.test import Client

API = "/api/v1/products"


def pytest_collection_modifyitems(items):
    if connection.vendor != "postgresql":
        skip = pytest.mark.skip(reason="needs PostgreSQL: set DATABASE_URL")
        for item in items:
            if "pg" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def _media():
    yield
    shutil.rmtree(settings.MEDIA_ROOT, ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_counted_facets():
    """Facets are cached under the version of the catalogue, which begins again in each test's database."""
    cache.clear()


@pytest.fixture(autouse=True)
def _one_window(monkeypatch):
    """All requests of a test are counted in one window of time, whenever the test runs."""
    clock = SimpleNamespace(time=lambda: 1_800_000_030.0, monotonic=time.monotonic)
    monkeypatch.setattr("shop_core.limits.time", clock)


@pytest.fixture
def make_user(db):
    def make(name, *permissions, **values):
        user = get_user_model().objects.create_user(name, f"{name}@example.org", "secret", **values)
        for codename in permissions:
            user.user_permissions.add(
                Permission.objects.get(codename=codename, content_type__app_label="shop_catalog")
            )
        return user

    return make


@pytest.fixture
def customer(make_user):
    return make_user("customer", first_name="Test", last_name="Customer")


@pytest.fixture
def staff(make_user):
    return make_user("staff", is_staff=True, is_superuser=True)


class Api:
    """The API as called by a browser with a session."""

    def __init__(self, user=None):
        self.client = Client()
        if user is not None:
            self.client.force_login(user)

    def get(self, path, **query):
        return self.client.get(API + path, query)

    def post(self, path, payload=None, **options):
        return self.client.post(API + path, payload, content_type="application/json", **options)

    def patch(self, path, payload):
        return self.client.patch(API + path, payload, content_type="application/json")

    def delete(self, path):
        return self.client.delete(API + path)


@pytest.fixture
def anyone(db):
    return Api()


@pytest.fixture
def customer_api(customer):
    return Api(customer)


@pytest.fixture
def staff_api(staff):
    return Api(staff)


@pytest.fixture(scope="session")
def shared_data():
    """Folder of the real data: by SHOP_TEST_DATA, or ``shared/data`` above the working directory."""
    import os

    if os.environ.get("SHOP_TEST_DATA"):
        return Path(os.environ["SHOP_TEST_DATA"])
    for folder in [Path.cwd(), *Path.cwd().parents]:
        if (folder / "shared" / "data").is_dir():
            return folder / "shared" / "data"
    pytest.skip("the real data is not here: set SHOP_TEST_DATA to its folder")
