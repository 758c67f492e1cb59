"""Models of sites as products: positions, money with a currency, pictures by foreign key, stock in forms."""

from decimal import Decimal
from io import StringIO
from types import SimpleNamespace

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import connection, models, transaction
from django.test.utils import isolate_apps
from shop_orders import checks
from shop_orders.checks.products import check_row_with_database
from shop_orders.management.commands import shop_orders_quickstart
from shop_orders.product_sources import ModelProductSource
from testproject.books.models import Book, Toy

BOOKS = {"model": "books.Book", "ref": "isbn", "name": "title", "price": "sale_price", "stock": "on_hand"}


class MoneyField(models.DecimalField):
    """As that of django-money: it names the column of the currency."""

    currency_field_name = "price_currency"


@pytest.fixture
def page():
    with isolate_apps("testproject.books"):
        module = {"__module__": "testproject.books.models"}
        picture = type(
            "Picture", (models.Model,), {**module, "title": models.CharField(max_length=9), "file": models.FileField()}
        )
        fields = {
            "path": models.CharField(max_length=255, unique=True),
            "draft_title": models.CharField(max_length=255, unique=True),
            "slug": models.SlugField(),
            "title": models.CharField(max_length=255),
            "live": models.BooleanField(default=True),
            "price": MoneyField(max_digits=9, decimal_places=2),
            "stock": models.PositiveIntegerField(default=0),
            "picture": models.ForeignKey(picture, on_delete=models.CASCADE),
        }
        yield type("Page", (models.Model,), {**module, **fields})


def test_quickstart_proposes_no_position_as_the_reference(page, monkeypatch):
    monkeypatch.setattr(shop_orders_quickstart, "_model", lambda _name: page)
    out, err = StringIO(), StringIO()
    call_command("shop_orders_quickstart", "books.Page", stdout=out, stderr=err)
    namespace = {}
    exec(out.getvalue(), namespace)
    assert namespace["SHOP_ORDERS"]["PRODUCT_SOURCE"]["OPTIONS"] == {
        "model": page._meta.label,
        "ref": "id",
        "name": "title",
        "price": "price",
        "stock": "stock",
        "image": "picture.file",
        "filters": {"live": True},
    }
    assert "price has a currency of its own" in err.getvalue()
    assert "writes stock back" in err.getvalue()


@pytest.mark.parametrize(("currency", "price"), [("KES", Decimal("12.50")), ("EUR", None)])
@pytest.mark.django_db
def test_money_with_a_currency_is_a_price_of_this_shop_or_none(monkeypatch, currency, price):
    Book.objects.create(isbn="1", title="Atlas", sale_price=1)
    money = SimpleNamespace(amount=Decimal("12.50"), currency=currency)
    monkeypatch.setattr(Book, "money", property(lambda _book: money), raising=False)
    found = ModelProductSource(**{**BOOKS, "price": "money"}).fetch(["1"])
    assert [product.unit_price for product in found.values()] == ([] if price is None else [price])


@pytest.mark.parametrize("option", ["picture", "picture.file", "picture.file.url"])
@pytest.mark.django_db
def test_picture_is_found_behind_a_row(monkeypatch, option):
    class Picture(SimpleNamespace):
        def __str__(self):
            return "a title, not a URL"

    Book.objects.create(isbn="1", title="Atlas", sale_price=1)
    file = SimpleNamespace(url="/media/atlas.jpg")
    picture = file if option == "picture" else Picture(file=file)
    monkeypatch.setattr(Book, "picture", picture, raising=False)
    assert ModelProductSource(**BOOKS, image=option).fetch(["1"])["1"].image == "/media/atlas.jpg"


@pytest.mark.parametrize("ref", ["article_ptr", "article_ptr_id"])
@pytest.mark.django_db
def test_reference_may_be_the_key_of_another_row(settings, ref):
    toy = Toy.objects.create(code="bear", label="Bear", cost=7, units=3, shelf_code=1)
    options = {"model": "books.Toy", "ref": ref, "name": "article_ptr.label", "price": "cost", "stock": "units"}
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PRODUCT_SOURCE": source(**options)}
    found = ModelProductSource(**options)
    assert [product.name for product in found.fetch([str(toy.pk)]).values()] == ["Bear"]
    assert found.fetch(["Bear", "9" * 30, "1.0"]) == {}
    assert found.reserve({str(toy.pk): 2}, reference="1") == {}
    assert Toy.objects.get().units == 1
    assert [message.msg for message in checks.check_settings(None) if message.id == "shop_orders.E003"] == []


def test_options_that_follow_two_foreign_keys_take_one_query():
    line = {"model": "shop_orders.ShipmentLine", "ref": "id", "name": "order_line.order.number"}
    found = ModelProductSource(**line, price="order_line.unit_price", url="shipment")
    assert found._relations() == ["order_line", "order_line__order", "shipment"]


def admin_of(**options):
    return type("BookAdmin", (admin.ModelAdmin,), options)


@pytest.mark.parametrize(
    ("options", "warns"),
    [
        ({}, True),
        ({"fields": ["title", "on_hand"]}, True),
        ({"fields": [("title", "on_hand")]}, True),
        ({"fieldsets": [("Stock", {"fields": ["on_hand"]})]}, True),
        ({"readonly_fields": ["on_hand"], "list_display": ["title", "on_hand"], "list_editable": ["on_hand"]}, True),
        ({"readonly_fields": ["on_hand"]}, False),
        ({"exclude": ["on_hand"]}, False),
        ({"fields": ["title"]}, False),
    ],
)
def test_check_warns_where_the_admin_edits_the_stock(settings, monkeypatch, options, warns):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PRODUCT_SOURCE": source(**BOOKS)}
    monkeypatch.setattr("django.contrib.admin.sites.all_sites", set())  # the new site adds itself
    site = admin.AdminSite(name="other")
    site.register(Book, admin_of(**options))
    found = [message.msg for message in checks.check_settings(None) if message.id == "shop_orders.W013"]
    assert len(found) == warns
    assert all("BookAdmin lets staff edit books.Book.on_hand" in message for message in found)


def source(**options):
    return {"BACKEND": "shop_orders.product_sources.ModelProductSource", "OPTIONS": options}


@pytest.mark.django_db
def test_check_reads_one_row(settings, monkeypatch):
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PRODUCT_SOURCE": source(**{**BOOKS, "price": "broken"})}
    monkeypatch.setattr(Book, "broken", property(lambda _book: 1 / 0), raising=False)
    assert check_row_with_database(None, databases=["default"]) == []
    Book.objects.create(isbn="1", title="Atlas", sale_price=1)
    [found] = check_row_with_database(None, databases=["default"])
    assert (found.id, "ZeroDivisionError" in found.msg) == ("shop_orders.E026", True)
    assert check_row_with_database(None) == []


@pytest.mark.django_db
def test_check_does_not_stop_the_migration_that_makes_a_table(settings, monkeypatch):
    """`migrate` runs the checks first: a property that reads a table of the same release would stop it for ever."""
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, "PRODUCT_SOURCE": source(**{**BOOKS, "price": "later"})}

    def later(_book):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT price FROM table_of_the_next_migration")

    monkeypatch.setattr(Book, "later", property(later), raising=False)
    Book.objects.create(isbn="1", title="Atlas", sale_price=1)
    assert check_row_with_database(None, databases=["default"]) == []
