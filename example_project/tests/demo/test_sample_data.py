"""The sample data: the command and the fixtures give the same consistent shop."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from accounts.models import User
from allauth.idp.oidc.models import Client
from demo.catalogue import CATEGORIES, PICTURES, PRODUCTS, REVIEWS
from demo.management.commands import prepare_demo
from django.core.management import call_command
from drawings import THINGS, draw
from drawings.pictures import PICTURES as DRAWN
from shop_catalog import inventory
from shop_catalog.models import Category, Product, ProductImage, Review
from shop_orders.models import Order

in_threads = pytest.mark.django_db(
    transaction=True
)  # pictures are loaded by threads, which see only what is committed
ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ["initial_categories", "sample_products", "initial_data"]


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def products():
    rows = Product.objects.order_by("sku").values_list("sku", "slug", "name", "price", "kind", "stock_quantity")
    return list(rows)


def load_fixtures(capture):
    with capture(execute=True):
        call_command("loaddata", *FIXTURES, verbosity=0)


@in_threads
def test_the_command_fills_an_empty_shop(media, settings):
    settings.DEMO = True
    output = io.StringIO()

    call_command("load_sample_data", "--without-orders", stdout=output)

    assert Product.objects.listed().count() == len(PRODUCTS)
    assert Category.objects.count() == len(CATEGORIES) + sum(len(children) for children in CATEGORIES.values())
    assert ProductImage.objects.count() == len(PRODUCTS) + len(REVIEWS)
    assert inventory.differences() == []
    fixture = json.loads((settings.BASE_DIR / "fixtures" / "sample_products.json").read_text(encoding="utf-8"))
    rows = [row["fields"] for row in fixture if row["model"] == "shop_catalog.product"]
    written = [
        (row["sku"], row["slug"], row["name"], Decimal(row["price"]), row["kind"], row["stock_quantity"])
        for row in rows
    ]
    assert sorted(written) == products()


@pytest.mark.django_db
def test_a_filled_shop_is_left_alone(media, django_capture_on_commit_callbacks):
    load_fixtures(django_capture_on_commit_callbacks)
    before = products()

    call_command("load_sample_data", stdout=io.StringIO())

    assert products() == before
    assert not Order.objects.exists()


@pytest.mark.django_db
def test_the_fixtures_are_sound(django_capture_on_commit_callbacks):
    load_fixtures(django_capture_on_commit_callbacks)

    call_command("check_category_tree", stdout=io.StringIO())
    call_command("check_stock", stdout=io.StringIO())
    assert Review.objects.published().count() == sum(len(opinions) for opinions in REVIEWS.values())


@pytest.mark.django_db
def test_the_fixtures_hold_no_password_that_works(django_capture_on_commit_callbacks):
    load_fixtures(django_capture_on_commit_callbacks)

    assert User.objects.count() == 4
    assert [user.email for user in User.objects.all() if user.has_usable_password()] == []
    assert not User.objects.filter(is_superuser=True).exists()


@in_threads
def test_pictures_can_be_loaded_after_the_fixtures_and_again(media, django_capture_on_commit_callbacks):
    load_fixtures(django_capture_on_commit_callbacks)
    Product.objects.exclude(sku__in=["MUG-RED", "MUG-TEA"]).delete()
    output = io.StringIO()

    call_command("load_pictures", stdout=output)
    call_command("load_pictures", stdout=output)

    assert output.getvalue() == "3 pictures.\n0 pictures.\n"


def test_every_picture_is_there_and_small():
    wanted = {name for item in PRODUCTS for name in item.pictures}

    assert {path.name for path in PICTURES.glob("*.webp")} == wanted
    assert max(Path(path).stat().st_size for path in PICTURES.glob("*.webp")) < 40_000


def test_every_picture_can_be_drawn_again():
    assert {f"{name}.webp" for name in DRAWN} == {name for item in PRODUCTS for name in item.pictures}
    assert {picture.thing for picture in DRAWN.values()} == set(THINGS)
    assert draw(DRAWN["mug-red"])[:4] == b"RIFF"


def test_the_shop_does_not_import_the_drawings():
    code = "import sys, django; django.setup(); import config.urls; print('drawings' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)

    assert done.stdout == "False\n"


@pytest.mark.django_db
def test_the_demo_can_be_started_again_and_at_another_address(settings):
    prepare_demo.let_swagger_log_in()
    settings.SITE_URL = "http://127.0.0.1:8765"
    prepare_demo.let_swagger_log_in()
    app = Client.objects.get(id=settings.SWAGGER_CLIENT_ID)
    assert app.get_redirect_uris() == ["http://127.0.0.1:8765/swagger/oauth2-redirect/"]
