"""Exports: a file that is imported again changes nothing; cells that spreadsheets calculate; Shopify's columns."""

import csv
import io
import os
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from shop_catalog import categories, inventory, products
from shop_catalog.exceptions import FileTooLarge
from shop_catalog.exports import batches, csv_lines, files, write_xlsx
from shop_catalog.imports import ImportFile, import_file, understand
from shop_catalog.imports.understanding import cells as cells_of_imports
from shop_catalog.imports.understanding import guards
from shop_catalog.models import Category, PriceChange, Product, ProductCategory, StockMovement

pytestmark = pytest.mark.django_db
CATALOGUES = 200 if os.environ.get("SHOP_TEST_FULL") else 4
"""SHOP_TEST_FULL=1 compares 200 catalogues in each format."""
STARTS = [
    "",
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "'",
    "''",
    "'=",
    "\n",
    "#N/A",
    "#REF!",
    "#1 ",
    "1E+05",
    "007",
    "\uff1d",
    " ",
]
PIECES = [
    "\u200b",
    *"=+-@'\"|>,;#()",
    "\r\n",
    "\n",
    "\t",
    "_x000D_",
    "Tee",
    "茶",
    "é",
    "𝄞",
    "<b>",
    "1.250",
    "yes",
    "\x01",
    "  ",
]


def texts(rng, most=4):
    return rng.choice(STARTS) + "".join(rng.choices(PIECES, k=rng.randint(0, most)))


def named(rng, most=4):
    """A text that is not blank."""
    return texts(rng, most) + rng.choice(["n", "n ", "n'"])


def some_categories(rng):
    """Categories whose names are other ones' slugs and paths."""
    found = []
    for place in range(rng.randint(0, 6)):
        name = rng.choice(["a", "b", "A > B", "x|y", "a, b", "=c", "(a)", f"n{place}"])
        parent = rng.choice([None, *found])
        slug = next(
            s
            for s in rng.sample(["a", "b", "a-b", *(f"s{n}" for n in range(9))], 12)
            if s not in {category.slug for category in found}
        )
        found.append(categories.create(name, slug=slug, parent=parent))
    return found


def some_values(rng):
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(microseconds=rng.randint(0, 10**15))
    return {
        "name": named(rng) if rng.random() < 0.9 else "Cup",
        "description": texts(rng, 12),
        "compare_at_price": rng.choice([None, Decimal(0), Decimal(rng.randint(0, 10**12)) / 100]),
        "tax_class": rng.choice(["standard", "zero", "=x"]),
        "attributes": rng.choice([{}, {"a": texts(rng), "n": [1, 2.5, None, {"=": True}]}, {texts(rng): "1.0"}]),
        "position": rng.randint(0, 2000),
        "weight": rng.choice([None, Decimal("1.250"), Decimal(rng.randint(0, 10**10 - 1)) / 1000]),
        "is_active": rng.random() < 0.7,
        "is_featured": rng.random() < 0.3,
        "publish_from": rng.choice([None, moment]),
        "publish_until": rng.choice([None, moment + timedelta(days=1)]),
        "low_stock_threshold": rng.choice([None, 0, 1000]),
    }


def some_catalogue(rng):
    known = some_categories(rng)
    groups = []
    for place in range(rng.randint(1, 8)):
        kind = rng.choice(["simple", "group", "variant"] if groups else ["simple", "group"])
        values = some_values(rng)
        if kind != "group":
            values["price"] = rng.choice([Decimal(0), Decimal("1.25"), Decimal(rng.randint(0, 10**12)) / 100])
        if kind == "variant":
            values["options"] = {named(rng, 2): named(rng, 2)}
        else:
            values["categories"] = rng.sample(known, rng.randint(0, len(known)))
        sku = rng.choice(["=", "+", "-", "@", "'", "''", "#N/A", "1E+0", "00", "'0", "A b"]) + str(place)
        parent = rng.choice(groups) if kind == "variant" else None
        made = products.create(sku, kind=kind, parent=parent, **values)
        if kind == "group":
            groups.append(made)
        elif rng.random() < 0.7:
            inventory.receive({sku: rng.randint(1, 5000)})
            inventory.reserve({sku: 1}, reference=f"order-{place}")


def stored():
    """All that an import could change."""
    return [
        list(Product.objects.order_by("pk").values()),
        list(ProductCategory.objects.order_by("product", "position", "pk").values_list("pk", "product", "category")),
        list(Category.objects.order_by("pk").values_list("pk", "slug", "name")),
        PriceChange.objects.count(),
        StockMovement.objects.count(),
    ]


def changes(before, after):
    """What differs: ``(SKU, column, old, new)``, or the table."""
    found = [
        (old["sku"], name, old[name], new[name])
        for old, new in zip(before[0], after[0], strict=True)
        for name in old
        if old[name] != new[name]
    ]
    return found + [(old, new) for old, new in zip(before[1:], after[1:], strict=True) if old != new]


def exported(file_format="csv", **options):
    if file_format == "csv":
        return "".join(csv_lines(**options)).encode()
    out = io.BytesIO()
    write_xlsx(out, **options)
    return out.getvalue()


def load(content, **options):
    return import_file(ImportFile(io.BytesIO(content), **options))


def cells(content):
    """Without the blanks around texts, which an import does not keep."""
    rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return sorted([cells_of_imports.bare(guards.without_guard(text)[0]) for text in row] for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_exporting_and_importing_changes_nothing_and_the_file_makes_the_same_catalogue(file_format):
    for seed in range(CATALOGUES):
        with transaction.atomic():
            some_catalogue(random.Random(seed))
            before, content = stored(), exported(file_format)
            report = load(content)
            assert (report.failed, report.errors, report.updated) == (0, [], len(before[0])), seed
            assert changes(before, stored()) == [], seed
            as_csv = cells(exported())
            Product.objects.update(reserved_quantity=0)
            Product.objects.filter(parent__isnull=False).delete()
            Product.objects.all().delete()
            report = load(content)
            assert (report.errors, report.created) == ([], len(before[0])), seed
            assert cells(exported()) == as_csv, seed
            transaction.set_rollback(True)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "'", "\uff1d"])
@pytest.mark.parametrize("column_map", ["own", "shopify"])
def test_a_cell_that_a_spreadsheet_calculates_has_an_apostrophe(start, column_map):
    products.create("A", name=f"{start}1+1", price=Decimal(1))
    rows = list(csv.DictReader(io.StringIO("".join(csv_lines(column_map=column_map))[1:], newline="")))
    keeps = start == "'" and column_map == "shopify"
    assert rows[0]["name" if column_map == "own" else "Title"] == f"{'' if keeps else chr(39)}{start}1+1"


def test_shopify_gets_a_row_for_each_variant_and_its_own_import_reads_it():
    tea = categories.create("Tea")
    group = products.create("T", name="Tee & Co", kind="group", slug="tee", description="a\n\nb", categories=[tea])
    for size in "SM":
        options = {"size": size}
        products.create(f"T-{size}", kind="variant", parent=group, options=options, price=Decimal("9.5"))
    inventory.receive({"T-S": 7})
    inventory.reserve({"T-S": 2}, reference="1")
    values = {"brand": "Acme", "tags": ["x", "y"], "gtin": "4006381333931"}
    products.create("C", name="Cup", slug="cup", price=Decimal(3), weight=Decimal("0.25"), attributes=values)
    content = exported(column_map="shopify", base_url="https://shop.example/")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert [(row["Handle"], row["Title"], row["Variant SKU"], row["Option1 Value"]) for row in rows] == [
        ("tee", "Tee & Co", "T-S", "S"),
        ("tee", "", "T-M", "M"),
        ("cup", "Cup", "C", "Default Title"),
    ]
    assert rows[0]["Body (HTML)"] == "<p>a</p>\n\n<p>b</p>"
    assert (rows[0]["Type"], rows[0]["Variant Inventory Qty"], rows[0]["Variant Price"]) == ("Tea", "5", "9.50")
    assert (rows[2]["Vendor"], rows[2]["Tags"], rows[2]["Variant Grams"]) == ("Acme", "x, y", "250")
    Product.objects.filter(parent__isnull=False).delete()
    Product.objects.all().delete()
    assert understand(ImportFile(io.BytesIO(content))).column_map.name == "shopify"
    assert load(content).created == 4
    cup = products.get("C")
    assert (cup.price, cup.weight, cup.attributes) == (3, Decimal("0.25"), values)
    assert products.get("T-M").options == {"size": "M"}
    only = Product.objects.filter(sku="T-M")
    assert len(list(csv_lines(only, column_map="shopify"))) == 4  # the mark, the header, T-S and T-M


def test_a_long_export_reads_a_fixed_number_of_statements_for_each_batch(monkeypatch):
    for place in range(7):
        products.create(f"P{place}", name="P", price=Decimal(1))
    monkeypatch.setattr(batches, "BATCH", 3)
    with CaptureQueriesContext(connection) as few:
        assert len(list(csv_lines())) == 9
    monkeypatch.setattr(batches, "BATCH", 10)
    with CaptureQueriesContext(connection) as one:
        list(csv_lines())
    assert (len(one), len(few)) == (4, 8)


def test_what_excel_cannot_hold_is_refused_and_not_cut(monkeypatch):
    products.create("A", name="A", description="x" * 32_768, price=Decimal(1))
    with pytest.raises(FileTooLarge, match="longer than a cell"):
        exported("xlsx")
    products.change(products.get("A"), description="")
    monkeypatch.setattr(files, "MOST_ROWS", 1)
    with pytest.raises(FileTooLarge, match="that many rows"):
        exported("xlsx")


def test_the_command_writes_a_whole_file_or_leaves_the_old_one(tmp_path, capsys, monkeypatch):
    products.create("A", name="=A", price=Decimal(1))
    path = tmp_path / "a.csv"
    call_command("export_products", path)
    assert "1 rows written." in capsys.readouterr().out
    assert load(path.read_bytes()).updated == 1
    old = path.read_bytes()
    monkeypatch.setattr(files, "MOST_CHARACTERS", 1)
    with pytest.raises(CommandError, match="longer than a cell"):
        call_command("export_products", path, format="xlsx")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_bytes() == old
    monkeypatch.undo()
    call_command("export_products", tmp_path / "b.xlsx", "--map", "shopify")
    assert ImportFile(io.BytesIO((tmp_path / "b.xlsx").read_bytes())).file_format == "xlsx"
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export_products", tmp_path / "none" / "a.csv")


def test_the_admin_exports_the_products_of_the_list(client, make_user):
    products.create("A", name="Cup", price=Decimal(1))
    products.create("B", name="Mug", price=Decimal(1), is_active=False)
    viewer = make_user("viewer")
    viewer.is_staff = True
    viewer.save()
    client.force_login(viewer)

    def page(name):
        return reverse("admin:shop_catalog_product_export", args=[name])

    assert client.get(page("products.csv")).status_code == 403
    viewer.user_permissions.add(Permission.objects.get(codename="view_product"))
    answer = client.get(page("products.csv"), {"is_active__exact": "1"})
    assert answer["Content-Disposition"] == 'attachment; filename="products.csv"'
    content = b"".join(answer.streaming_content)
    assert [row[0] for row in csv.reader(io.StringIO(content.decode("utf-8-sig")))] == ["sku", "A"]
    found = b"".join(client.get(page("shopify.csv"), {"q": "mug"}).streaming_content)
    assert [row["Variant SKU"] for row in csv.DictReader(io.StringIO(found.decode("utf-8-sig")))] == ["B"]
    sheet = b"".join(client.get(page("products.xlsx")).streaming_content)
    assert understand(ImportFile(io.BytesIO(sheet))).row_count == 2
    assert client.get(page("other.csv")).status_code == 404
    assert client.get(page("products.csv"), {"nothing": "1"}).status_code == 302
    listed = client.get(reverse("admin:shop_catalog_product_changelist"), {"is_active__exact": "1"})
    assert f"{page('products.xlsx')}?is_active__exact=1" in listed.content.decode()
