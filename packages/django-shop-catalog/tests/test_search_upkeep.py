"""The stored words of the search follow every way in which products are written."""

import random
import threading
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, models
from shop_catalog import browsing, imports, products, search
from shop_catalog.imports import RawRow
from shop_catalog.models import Product, SearchSpelling, SearchWord

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "gravel", "honey", "indigo", "T-Shirt", "50/60")


def found(text):
    return sorted(row.sku for row in browsing.list_products(browsing.Filters(q=text), ordering="relevance").rows)


def words(rng, number=3):
    return " ".join(rng.choices(WORDS, k=number))


def live(rng, number):
    """One random change of a shop, by an action or an import."""
    skus = list(Product.objects.values_list("sku", flat=True))
    match rng.choice(["create", "group", "variant", "change", "change", "delete", "import"]):
        case "create":
            products.create(f"S-{number}", name=words(rng), price=Decimal(1), description=words(rng))
        case "group":
            products.create(f"G-{number}", name=words(rng), kind="group")
        case "variant":
            groups = list(Product.objects.filter(kind="group"))
            if groups:
                values = {"options": {"size": rng.choice(WORDS)}, "price": Decimal(2)}
                products.create(f"V-{number}", kind="variant", parent=rng.choice(groups), **values)
        case "change" if skus:
            products.change(products.get(rng.choice(skus)), name=words(rng), attributes={"brand": rng.choice(WORDS)})
        case "delete" if skus:
            products.delete(products.get(rng.choice(skus)))
        case "import":
            rows = [f"I-{number}", f"I-{number % 3}", f"I-{number}"]
            imports.import_products(
                RawRow(place, {"sku": sku, "name": words(rng), "price": "3.00"}, "") for place, sku in enumerate(rows)
            )


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(3))
def test_words_fit_the_products_after_any_changes(seed):
    rng = random.Random(seed)
    for number in range(25):
        live(rng, number)
        if number == 12:
            search.fold()
    assert search.check() == (0, 0, 0, 0)
    assert Product.objects.count() > 0


@pytest.mark.django_db
def test_folding_keeps_a_word_that_only_moved_into_a_name():
    """Its row has no product more. The sum may be locked by another process, which then folds it."""
    SearchWord.objects.create(word="amber", products=0, names=1)
    search.fold()
    assert list(SearchWord.objects.values_list("word", "products", "names", "is_sum")) == [("amber", 0, 1, True)]


@pytest.mark.django_db
def test_folding_keeps_the_sums_and_forgets_words_that_no_product_has():
    products.create("A-1", name="Amber lamp", price=Decimal(1))
    products.create("A-2", name="Amber vase", price=Decimal(1), description="Near a lamp")
    products.delete(products.get("A-1"))
    assert SearchWord.objects.filter(word="amber").count() == 3
    search.fold_all()
    rows = {row.word: (row.products, row.names) for row in SearchWord.objects.all()}
    assert rows == {
        "": (1, 0), "amber": (1, 1), "vase": (1, 1), "near": (1, 0), "a": (1, 0), "lamp": (1, 0),
    }  # fmt: skip
    assert search.fold() == 0
    assert found("amber") == ["A-2"]


@pytest.mark.django_db
def test_check_search_finds_and_repairs_rows_that_were_written_otherwise(capsys):
    products.create("A-1", name="Amber lamp", price=Decimal(1))
    products.create("B-1", name="Birch stool", price=Decimal(1))
    Product.objects.filter(sku="A-1").update(name="Cedar lamp")
    Product.objects.filter(sku="B-1").delete()
    with pytest.raises(CommandError, match=r"outdated search text: 1\. Words with a wrong count: 4,"):
        call_command("check_search")
    call_command("check_search", "--fix")
    assert "fit the products" in capsys.readouterr().out
    assert (found("cedar"), found("amber"), found("stool"), found("ceddar")) == (["A-1"], [], [], ["A-1"])
    assert not SearchSpelling.objects.filter(word="birch").exists()


@pytest.mark.django_db(transaction=True)
def test_a_later_product_is_found_after_the_table_was_altered():
    """On SQLite, Django makes a new table, and drops what it does not know, such as triggers."""
    old, new = Product._meta.get_field("tax_class"), models.CharField("tax class", max_length=40, default="standard")
    new.set_attributes_from_name("tax_class")
    new.model = Product
    products.create("A-1", name="Amber lamp", price=Decimal(1))
    with connection.schema_editor() as editor:
        editor.alter_field(Product, old, new)
    try:
        products.create("C-1", name="Cedar lamp", price=Decimal(1))
        products.change(products.get("A-1"), name="Birch lamp")
        assert (found("cedar"), found("ceddar"), found("birch"), found("amber")) == (["C-1"], ["C-1"], ["A-1"], [])
    finally:
        with connection.schema_editor() as editor:
            editor.alter_field(Product, new, old)


@pytest.mark.pg
@pytest.mark.django_db(transaction=True)
def test_imports_that_add_the_same_words_do_not_wait_for_each_other(monkeypatch):
    """Each is one transaction of two chunks, with the same new words in opposite order."""
    monkeypatch.setattr(imports.products, "CHUNK", 1)
    both_wrote = threading.Barrier(2, timeout=20)
    reports = {}

    def run(name, texts):
        def progress(step, count):
            if (step, count) == ("written", 1):
                both_wrote.wait()

        own = {"price": "1.00"}
        rows = [
            RawRow(place, own | {"sku": f"{name}{place}", "slug": f"{name}-{place}".lower(), "name": text}, "")
            for place, text in texts
        ]
        try:
            reports[name] = imports.import_products(rows, on_error="stop", progress=progress)
        finally:
            connections.close_all()

    texts = list(enumerate(["Amber", "Birch"], start=1))
    runs = [threading.Thread(target=run, args=("A", texts)), threading.Thread(target=run, args=("B", texts[::-1]))]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join(30)
    assert {name: report.created for name, report in reports.items()} == {"A": 2, "B": 2}
    search.fold_all()
    assert search.check() == (0, 0, 0, 0)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite has the table")
@pytest.mark.django_db
def test_full_text_table_is_not_created_after_the_products_were_removed(monkeypatch):
    """``migrate shop_catalog zero`` sends post_migrate too. With the table there, the next migrate fails."""
    tables = connection.introspection.table_names()
    assert "shop_catalog_search" in tables
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE shop_catalog_search")
    monkeypatch.setattr(connection.introspection, "table_names", lambda _cursor: ["auth_user"])
    search.queries.create_full_text_table("default")
    monkeypatch.undo()
    assert "shop_catalog_search" not in connection.introspection.table_names()
    search.queries.create_full_text_table("default")
    assert "shop_catalog_search" in connection.introspection.table_names()
