"""Models of sites as products: positions, money with a currency, pictures by foreign key, stock in forms."""

from decimal import Decimal
from io import StringIO
from types import SimpleNamespace

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
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


def amount(**options):
    return models.DecimalField(max_digits=9, decimal_places=2, **options)


def text(**options):
    return models.CharField(max_length=9, **options)


ODD_MODELS = {
    "Flags": {"headline": text(), "price": amount(), "live": models.BooleanField(), "is_draft": models.BooleanField()},
    "States": {"name": text(), "price": amount(), "status": text(choices=[("draft", "draft"), ("sold", "sold")])},
    "Keyed": {"id": models.UUIDField(primary_key=True), "name": text(), "price": amount(), "token": text(unique=True)},
    "Größe": {"name": text(), "preis": amount()},
    "NetAndGross": {"name": text(), "net_price": amount(), "gross_price": amount()},
    "Reduced": {"name": text(), "price": amount(), "sale_price": amount(null=True), "old_price": amount(null=True)},
    "Nameless": {"isbn": text(unique=True), "price": amount(), "__str__": lambda row: row.isbn},
    "Coloured": {"colour": text(), "price": amount(), "max_quantity": models.IntegerField()},
    "Cents": {"name": text(), "price_cents": models.IntegerField()},
    "Measured": {"name": text(), "rating": models.FloatField(), "length": amount()},
}
UNKNOWN_NAME = "No field looks like a name: the name is {}. Change it if customers read another."
ON_SALE = '{} may say which rows are on sale. If so, add a condition to "filters".'
PROPOSED = {
    "Flags": ("id headline price", {"live": True}, UNKNOWN_NAME.format("headline"), ON_SALE.format("is_draft")),
    "States": ("id name price", None, ON_SALE.format("status")),
    "Keyed": ("id name price", None),
    "Reduced": ("id name price", None, "sale_price may be the price too. If so, name it with --price."),
    "Nameless": ("isbn __str__ price", None, UNKNOWN_NAME.format("__str__")),
    "Coloured": ("id colour price", None, UNKNOWN_NAME.format("colour")),
}
ASKED = {
    "Größe": "books.Größe has no field that looks like a price. It has: id, name, preis. Name it with --price.",
    "NetAndGross": "More than one field of books.NetAndGross may be the price: net_price, gross_price. "
    "Name one with --price.",
    "Cents": "books.Cents has no field that looks like a price. It has: id, name, price_cents. Name it with --price.",
    "Measured": "books.Measured has no field that looks like a price. It has: id, name, rating, length. "
    "Name it with --price.",
}
USUAL = ("No field looks like a stock", "The primary key is", "KES is an example")


@pytest.mark.parametrize("name", ODD_MODELS)
@isolate_apps("testproject.books")
def test_quickstart_proposes_what_fits_an_odd_model_or_asks(settings, monkeypatch, name):
    fields = {
        key: field.clone() if isinstance(field, models.Field) else field for key, field in ODD_MODELS[name].items()
    }
    model = type(name, (models.Model,), {"__module__": "testproject.books.models", **fields})
    monkeypatch.setattr(shop_orders_quickstart, "_model", lambda _name: model)
    out, err = StringIO(), StringIO()
    if name in ASKED:
        with pytest.raises(CommandError) as asked:
            call_command("shop_orders_quickstart", "books.Odd", stdout=out, stderr=err)
        assert (str(asked.value), out.getvalue()) == (ASKED[name], "")
        return
    call_command("shop_orders_quickstart", "books.Odd", stdout=out, stderr=err)
    namespace = {}
    exec(out.getvalue(), namespace)
    found = namespace["SHOP_ORDERS"]["PRODUCT_SOURCE"]["OPTIONS"]
    chosen, filters, *hints = PROPOSED[name]
    assert f"{found['ref']} {found['name']} {found['price']}" == chosen
    assert (found.get("filters"), found.get("stock")) == (filters, None)
    assert [line for line in err.getvalue().splitlines() if not line.startswith(USUAL)] == hints


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
