"""Files as people have them: encodings, delimiters, headers, numbers, dates, spreadsheets; every fault of a row."""

import csv
import io
import re
import sys
import time
import zipfile
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from shop_catalog import categories, inventory, products, statistics
from shop_catalog.exceptions import FileTooLarge, UnreadableFile
from shop_catalog.imports import (
    Choices,
    ImportFile,
    RawRow,
    describe,
    import_file,
    import_products,
    understand,
    warnings,
)
from shop_catalog.imports.batches import Batch
from shop_catalog.imports.maps.html_texts import as_text
from shop_catalog.imports.reading import spreadsheets
from shop_catalog.models import Category, Product, ProductCategory

pytestmark = pytest.mark.django_db
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def opened(content, name="products.csv", **options):
    return ImportFile(io.BytesIO(content if isinstance(content, bytes) else content.encode()), name=name, **options)


def understood(content, name="products.csv", **choices):
    return understand(opened(content, name), Choices(**choices))


def load(content, name="products.csv", *, choices=None, **options):
    return import_file(opened(content, name), choices=choices, **options)


def first(content, name="products.csv", **choices):
    """The values of the first row, as the catalogue's fields get them."""
    return next(understood(content, name, **choices).rows()).values


def faults(report):
    return [(error.row, error.field, error.code) for error in report.errors]


TEXT = "sku;name;price\nA;Café – crème;1.250,00\n"
ENCODED = {
    "UTF-8": TEXT.encode(),
    "UTF-8 with a mark": TEXT.encode("utf-8-sig"),
    "UTF-16 as Excel's Unicode text": TEXT.replace(";", "\t").encode("utf-16"),
    "UTF-16 without a mark": TEXT.encode("utf-16-le"),
    "UTF-16, big first": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "Windows-1252": TEXT.encode("cp1252"),
    "a late byte": (TEXT.encode("ascii", "ignore") + b"B;plain;1,00\n" * 4000 + "C;Müller;1,00\n".encode("cp1252")),
}


@pytest.mark.parametrize("kind", ENCODED)
def test_encodings_are_found(kind):
    pytest.importorskip("charset_normalizer")
    rows = list(understood(ENCODED[kind]).rows())
    assert rows[0].values["price"] == "1250.00"
    assert rows[-1].values["name"] in ("Café – crème", "Müller")


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("cp1251", "Кружка для чая и кофе, керамическая, ручная работа"),
        ("cp1250", "Żółta książka o pszczołach, wełniana czapka ze śniegu"),
        ("shift_jis", "茶碗と急須のセット、日本のお茶を楽しむために"),
        ("gb18030", "茶杯和茶壶,适合中国茶,手工制作的瓷器,送礼佳品"),
    ],
)
def test_other_encodings_are_detected(encoding, name):
    pytest.importorskip("charset_normalizer")
    text = "sku;name;price\n" + "".join(f"S{number};{name};1,00\n" for number in range(20))
    assert first(text.encode(encoding))["name"] == name


def test_encoding_can_be_chosen_and_a_wrong_one_is_refused():
    assert first("sku,name\nA,Naïve\n".encode("cp850"), encoding="cp850")["name"] == "Naïve"
    with pytest.raises(UnreadableFile, match="not text in UTF-8"):
        list(understood("sku,name\nA,Café\n".encode("cp1252"), encoding="utf8").rows())
    with pytest.raises(UnreadableFile, match="There is no encoding zip"):
        understood("sku,name\nA,B\n", encoding="zip")


def test_without_the_detector_another_encoding_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    with pytest.raises(UnreadableFile, match=r"django-shop-catalogue\[spreadsheets\]"):
        understood("sku,name\nA,Café\n".encode("cp1252"))
    assert first("sku,name\nA,Café\n".encode("cp1252"), encoding="windows-1252")["name"] == "Café"


@pytest.mark.parametrize(
    "text",
    [
        "sku,name,price\nA,Cup,12.50\n",
        "sku;name;price\nA;Cup;12,50\n",
        "sku\tname\tprice\nA\tCup\t12,50\n",
        "sku|name|price\nA|Cup|12.50\n",
        "sep=;\nsku;name;price\nA;Cup;12,50\n",
        '"sep=,"\nsku,name,price\nA,Cup,"12,50"\n',
        "\ufeffsep=\t\r\nsku\tname\tprice\r\nA\tCup\t12.50\r\n",
        "Variant SKU,Title,Variant Price\nA,Cup,12.50\n",
        " Sku ,NAME:,Price (KES)\nA,Cup,KSh 12.50\n",
        "Artikelnummer;Bezeichnung;Preis\nA;Cup;12,50 €\n",
        "Price list of May,,\n,,\nsku,name,price,,,\nA,Cup,12.50,,,\n,,,,,\n\n",
        'sku,sku,name,price\nA,A,Cup,"12.50"\n',
        'sku,name,price,notes\nA,Cup,12.50,"two\nlines, and ""quotes"""\n',
    ],
)
def test_delimiters_and_headers_are_found(text):
    table = understood(text)
    assert [dict(row.values) for row in table.rows()] == [{"sku": "A", "name": "Cup", "price": "12.50"}]
    assert table.row_count == 1


NUMBERS = {
    "1.234,56 €": "1234.56",
    "1,234.50": "1234.50",
    "1 234,50": "1234.50",
    "1\u00a0234,50 kr": "1234.50",
    "1\u202f234": "1234",
    "1'234.50": "1234.50",
    "1.234.567": "1234567",
    "1,23,456.00": "123456.00",
    "$12": "12",
    "KES 1,800.00": "1800.00",
    "-0,5": None,
    "(5)": None,
    "50%": None,
    "12-": None,
    "free": None,
    "1.2.3,4": None,
    "٣": "3",
    "#N/A": None,
    "0.250": "0.250",
    "Fr. 1250": "1250",
    "Rs.500": "500",
    "KSh. 2 500.00": "2500.00",
    "S/.12.50": "12.50",
    "12.50 Fr.": "12.50",
    "USD .50": "0.50",
    "12,-": "12.00",
    "€ 1.250,—": "1250.00",
    "1,250.00/-": "1250.00",
    "KES 1,250.00/=": "1250.00",
    "€ 9.50/Stk.": "9.50",
    "#¿NOMBRE?": None,
    ",5": "0.5",
    "5,": "5",
    "": "",
}


def test_numbers_are_read_as_people_write_them():
    out = io.StringIO()
    csv.writer(out).writerows([["sku", "price"], *([f"S{place}", text] for place, text in enumerate(NUMBERS))])
    found = {}
    for row in understood(out.getvalue()).rows():
        found[int(row.values["sku"][1:])] = row.faults[0].code if row.faults else row.values.get("price", "")
    expected = list(NUMBERS.values())
    refused = {found[place] for place, value in enumerate(expected) if value is None}
    assert refused == {"negative", "percentage", "not_a_number", "spreadsheet_error"}
    assert {place: value for place, value in enumerate(expected) if value is not None} == {
        place: value for place, value in found.items() if expected[place] is not None
    }


@pytest.mark.parametrize(
    ("text", "price", "weight"),
    [
        ("sku;price;weight\nA;1.250;1,5\n", "1250", "1.5"),
        ("sku,price,weight\nA,1.250,2.125\n", "1.250", "2.125"),
        ('sku,price\nA,"1,250"\n', "1250", None),
        ("sku\tprice\tweight\nA\t1.250\t1.250\n", "1250", "1.250"),
        ("sku;price\nA;1.250\nB;3.50\n", "1.250", None),
        ("sku\tprice\nA\t1,250\nB\t3.50\n", "1250", None),
    ],
)
def test_column_decides_what_one_separator_means(text, price, weight):
    values = first(text)
    assert (values["price"], values.get("weight")) == (price, weight)


def test_column_with_both_signs_refuses_what_can_be_read_in_two_ways():
    text = "sku\tprice\nA\t1.234,56\nB\t1,234.50\nC\t1.250\n"
    table = understood(text)
    assert "both decimal commas and decimal points" in warnings(table)[0]
    assert [row.faults[0].code if row.faults else row.values["price"] for row in table.rows()] == [
        "1234.56",
        "1234.50",
        "ambiguous_number",
    ]
    assert [row.values["price"] for row in understood(text.replace("A\t1.234,56\n", ""), decimal=".").rows()] == [
        "1234.50",
        "1.250",
    ]


def test_unit_beside_a_weight_counts_and_an_unknown_one_is_refused():
    text = "sku;weight (g)\nA;500 g\nB;1,5 kg\nC;500\nD;2 lbs.\nE;2 Pfund\n"
    rows = list(understood(text).rows())
    assert [row.values.get("weight") for row in rows] == ["0.500", "1.5", "0.500", "0.907", None]
    assert [fault.code for row in rows for fault in row.faults] == ["unknown_unit"]


def test_numbers_of_articles_keep_their_zeros_and_shortened_ones_are_refused():
    text = "sku;name;price\n'00123;a;1\n00124;b;1\n\u200e125\u200b;c;1\n4,00638E+12;d;1\n4,00638E+12;e;1\n"
    report = load(text, on_error="report")
    assert sorted(Product.objects.values_list("sku", flat=True)) == ["00123", "00124", "125"]
    assert faults(report) == [(5, "sku", "shortened_number"), (6, "sku", "shortened_number")]
    assert (report.errors[0].column, report.errors[0].value) == ("sku", "4,00638E+12")


def test_fault_of_an_empty_cell_names_the_header_of_the_file():
    (error,) = load("Artikelnummer;Bezeichnung;VK\nA;Tasse;\n").errors
    assert (error.row, error.field, error.column, error.value) == (2, "price", "VK", "")


@pytest.mark.parametrize(
    ("positive", "negative"), [("VRAI", "FAUX"), ("verdadero", "falso"), ("sí", "no"), ("oui", "non")]
)
def test_yes_and_no_are_read_in_several_languages(positive, negative):
    rows = understood(f"sku;is_active\nA;{positive}\nB;{negative}\n").rows()
    assert [row.values["is_active"] for row in rows] == [True, False]


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"%PDF-1.7\n", "picture, a PDF"),
        (b"\xff\xd8\xff\xe0", "picture, a PDF"),
        (b"\x89PNG\r\n\x1a\n", "picture, a PDF"),
        (b"\xef\xbb\xbf\n<HTML><table><tr><td>sku", "a web page"),
        (b'<?xml version="1.0"?><Workbook>', "a web page"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), "protected by a password"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600 + "Workbook".encode("utf-16-le"), "old Excel"),
    ],
)
def test_files_that_are_no_tables_say_what_to_do(start, reason):
    with pytest.raises(UnreadableFile, match=reason):
        opened(start + b"\0\xff" * 50, "products.xls")


def test_protected_open_document_says_what_to_do():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("content.xml", b"\x01\x02")
        archive.writestr("META-INF/manifest.xml", "<manifest:encryption-data/>")
    with pytest.raises(UnreadableFile, match="protected by a password"):
        opened(out.getvalue(), "products.ods")


def test_amounts_in_another_currency_are_mentioned():
    assert "€" in warnings(understood("sku;price\nA;5,00 €\n"))[0]
    assert warnings(understood("sku;price\nA;KSh 5,00\n")) == []


DATES = {
    "31.12.2026": "2026-12-31T00:00:00+00:00",
    "2026-12-31": "2026-12-31T00:00:00+00:00",
    "2026-12-31 14:30": "2026-12-31T14:30:00+00:00",
    "31/12/2026 14:30": "2026-12-31T14:30:00+00:00",
    "12/31/2026 2:30 PM": "2026-12-31T14:30:00+00:00",
    "46387": "2026-12-31T00:00:00+00:00",
    "46387.604166667": "2026-12-31T14:30:00+00:00",
    "2026-12-31T12:00:00+02:00": "2026-12-31T12:00:00+02:00",
}


@pytest.mark.parametrize("text", DATES)
def test_dates_are_read_as_spreadsheets_write_them(text, settings):
    settings.TIME_ZONE = "UTC"
    values = first(f"sku;publish_from\nA;{text}\n")
    assert datetime.fromisoformat(values["publish_from"]) == datetime.fromisoformat(DATES[text])


def test_order_of_day_and_month_comes_from_the_column_or_a_choice():
    text = "sku,publish_from\nA,01/02/2026\nB,{}\n"
    assert first(text.format("31/01/2026"))["publish_from"].startswith("2026-02-01")
    assert first(text.format("01/31/2026"))["publish_from"].startswith("2026-01-02")
    report = load("sku,name,price,publish_from\nA,a,1,01/02/2026\n")
    assert faults(report) == [(2, "publish_from", "ambiguous_date")]
    assert first("sku,publish_from\nA,01/02/2026\n", date_order="month")["publish_from"].startswith("2026-01-02")


def test_what_was_understood_is_one_sentence():
    pytest.importorskip("charset_normalizer")
    text = "Titel;;;\nArtikelnummer;Bezeichnung;Preis;Farbton;Lager\nA;Müsli;1.234,50;rot;3\n"
    assert describe(understood(text.encode("cp1252"))) == (
        "semicolons, Windows-1252, decimal comma, header in row 2; 3 columns known, 2 not used"
    )
    table = understood(text, columns={"Farbton": "attributes.colour", "E": "stock_quantity", "Bezeichnung": ""})
    assert dict(next(table.rows()).values) == {
        "sku": "A",
        "price": "1234.50",
        "stock_quantity": "3",
        "attributes": {"colour": "rot"},
    }
    with pytest.raises(UnreadableFile, match="There is no column Gewicht"):
        understood(text, columns={"Gewicht": "weight"})


def test_every_fault_of_a_row_is_reported_with_its_column_and_value_as_in_the_file():
    categories.create("Food")
    text = (
        "Price list;;;;\n"
        "SKU;Name;Preis;Bestand;Kategorie\n"
        "A;Good;1,00;1;food\n"
        "\n"
        "B;;minus;(5);nowhere\n"
        'C;"two\nlines";1,00;2,5;food\n'
    )
    out = io.StringIO()
    report = load(text, on_error="report", corrections=out)
    assert (report.rows, report.created, report.failed, report.written) == (3, 1, 2, 1)
    assert {(error.row, error.column, error.value, error.code) for error in report.errors} == {
        (5, "Name", "", "invalid_product"),
        (5, "Preis", "minus", "not_a_number"),
        (5, "Bestand", "(5)", "negative"),
        (5, "Kategorie", "nowhere", "invalid_product"),
        (6, "Bestand", "2,5", "not_whole"),
    }
    rows = list(csv.reader(io.StringIO(out.getvalue()), delimiter=";"))
    assert rows[0] == ["SKU", "Name", "Preis", "Bestand", "Kategorie", "errors"]
    assert [row[0] for row in rows[1:]] == ["B", "C"]
    corrected = out.getvalue().replace("minus", "2,00").replace("(5)", "5").replace("nowhere", "food")
    report = load(corrected.replace("B;;", "B;Tea;").replace("2,5", "2"))
    assert (report.created, report.failed) == (2, 0)
    assert inventory.differences() == []


def test_cells_of_corrections_are_not_calculated_and_come_back_unchanged():
    out = io.StringIO()
    names = ["=1+1", "'=1+1", "@SUM(A1)", "'tis", "-x"]
    table = "sku,name,price\n" + "".join(f'S{place},"{name}",x\n' for place, name in enumerate(names))
    report = load(table, corrections=out)
    assert (report.failed, report.is_written) == (5, False)
    assert not any(cell[0] in "=+-@" for row in csv.reader(io.StringIO(out.getvalue())) for cell in row if cell)
    again = [row.values["name"] for row in understood(out.getvalue()).rows()]
    assert again == ["=1+1", "=1+1", "@SUM(A1)", "'tis", "-x"]


def test_nothing_is_written_before_the_last_row_was_read(monkeypatch):
    monkeypatch.setattr("shop_catalog.imports.products.CHUNK", 20)

    def rows():
        yield from (RawRow(place, {"sku": f"S{place}", "name": "x", "price": "1"}) for place in range(50))
        assert Product.objects.count() == 0
        yield RawRow(99, {"sku": "bad", "name": "x", "price": "-1"})

    assert import_products(rows()).written == 0
    assert Product.objects.count() == 0
    report = import_products(rows(), on_error="report")
    assert (report.written, report.failed, Product.objects.count()) == (50, 1, 50)


@pytest.mark.pg
def test_one_transaction_locks_all_products_in_the_order_of_their_keys(monkeypatch):
    monkeypatch.setattr("shop_catalog.imports.products.CHUNK", 1)
    group = products.create("G", name="g", kind="group")
    products.create("V", kind="variant", parent=group, price=Decimal(1))
    products.create("S", name="s", price=Decimal(1))
    rows = [RawRow(place, {"sku": sku, "price": "2"}) for place, sku in enumerate(["S", "V"])]
    with CaptureQueriesContext(connection) as captured:
        assert import_products(rows).updated == 2
    first = next(query["sql"] for query in captured if "FOR UPDATE" in query["sql"])
    assert all(str(pk) in first for pk in Product.objects.values_list("pk", flat=True))
    assert re.search(r'ORDER BY (1|"shop_catalog_product"\."id") ASC FOR UPDATE$', first)


def test_sku_that_another_process_takes_in_the_same_moment_is_updated(monkeypatch):
    write = Batch._write_products
    calls = []

    def write_after_another(batch):
        calls.append(len(batch.entries))
        if len(calls) == 1:
            raise IntegrityError
        write(batch)

    monkeypatch.setattr(Batch, "_write_products", write_after_another)
    report = import_products([RawRow(1, {"sku": "A", "name": "a", "price": "1"})])
    assert (calls, report.created, Product.objects.count()) == ([1, 1], 1, 1)


def test_more_than_one_transaction_holds_stops_at_a_row_that_no_longer_fits(monkeypatch):
    monkeypatch.setattr("shop_catalog.imports.products.AT_ONCE", 3)
    monkeypatch.setattr("shop_catalog.imports.products.CHUNK", 2)
    products.create("S5", name="old", price=Decimal(1), stock_quantity=9)

    def progress(step, count):
        if (step, count) == ("written", 4):
            inventory.reserve({"S5": 9}, reference="order")

    rows = [RawRow(n, {"sku": f"S{n}", "name": "x", "price": "1", "stock_quantity": 1}) for n in range(1, 8)]
    report = import_products(rows, progress=progress)
    assert (report.written, report.failed, report.is_written) == (5, 1, True)
    assert faults(report) == [(5, "stock_quantity", "invalid_product")]
    assert Product.objects.count() == 6


def test_slugs_are_letters_of_the_name_in_any_script_and_never_collide():
    names = ["Straße", "Ørsted", "茶", "чай", "شاي", "茶", "茶", "!!!", "!!!"]
    rows = [RawRow(n, {"sku": f"S{n}", "name": name, "price": "1"}) for n, name in enumerate(names)]
    rows.append(RawRow(99, {"sku": "X", "name": "x", "slug": "cha-s6", "price": "1"}))
    assert import_products(rows[:5]).created == 5
    assert import_products(rows).failed == 0
    slugs = dict(Product.objects.values_list("sku", "slug"))
    assert [slugs[f"S{n}"] for n in (0, 1, 2)] == ["strasse", "orsted", "cha"]
    assert all(slug.isascii() for slug in slugs.values())
    assert len(set(slugs.values())) == 10
    assert load("sku,name,price,slug\nP,p,1,same\nQ,q,1,same\n").failed == 1


def test_attributes_merge_with_single_columns_unless_they_differ():
    text = (
        "sku,name,price,attributes,attributes.Colour\n"
        'A,a,1,"{""size"": ""L""}",red\n'
        'B,b,1,"{""Colour"": ""blue""}",red\n'
    )
    report = load(text, on_error="report")
    assert faults(report) == [(3, "attributes", "conflict")]
    assert products.get("A").attributes == {"size": "L", "Colour": "red"}
    report = load("sku,name,price,Preis\nC,c,1,1\nD,d,1,2\n")
    assert faults(report) == [(3, "price", "conflict")]


def test_changed_parent_moves_the_variant():
    load("sku,name,kind,parent,price,categories\nG,Shirt,group,,,\nH,Trousers,group,,,\nV,,,G,5,\nW,,,G,7,\n")
    assert (products.get("G").price, products.get("H").price) == (Decimal(5), None)
    report = load("sku,parent\nV,H\n")
    assert (report.updated, report.failed) == (1, 0)
    assert (products.get("G").price, products.get("H").price) == (Decimal(7), Decimal(5))
    assert products.get("V").parent == products.get("H")
    assert "#v" in products.get("H").search_text.split()
    assert "#v" not in products.get("G").search_text.split()
    assert faults(load("sku,parent\nV,W\nG,H\n")) == [
        (2, "parent", "invalid_product"),
        (3, "parent", "invalid_product"),
    ]
    products.delete(products.get("G"))
    assert products.get("V").parent == products.get("H")


def test_ambiguous_categories_are_refused_with_the_candidates():
    garden = categories.create("Garden")
    kitchen = categories.create("Kitchen")
    categories.create("Tools", parent=garden)
    other = categories.create("Tools", parent=kitchen)
    categories.create("Knives, forks", parent=kitchen)
    text = "sku,name,price,categories\nA,a,1,{}\n"
    report = load(text.format("Tools"))
    assert [error.reason for error in report.errors] == [
        (
            "“Tools” can mean several categories. Write the slug in brackets instead: "
            f"Garden > Tools (tools), Kitchen > Tools ({other.slug})."
        )
    ]
    for written, count in [
        ("garden>TOOLS", 1),
        (other.slug, 1),
        ('"Garden > Tools, Kitchen"', 2),
        ('"Knives, forks|Garden"', 2),
    ]:
        assert load(text.format(written)).failed == 0, written
        assert ProductCategory.objects.filter(product__sku="A").count() == count


def test_variants_find_their_group_anywhere_in_the_file(monkeypatch):
    monkeypatch.setattr("shop_catalog.imports.products.CHUNK", 20)
    rows = [RawRow(n, {"sku": f"V{n}", "parent": f"G{n % 7}", "price": "1"}) for n in range(1, 100)]
    groups = [RawRow(5000 + n, {"sku": f"G{n}", "name": "g", "kind": "group"}) for n in range(7)]
    report = import_products([*rows, *groups])
    assert (report.created, report.failed) == (106, 0)
    bad = import_products(
        [RawRow(1, {"sku": "N", "parent": "M", "price": "1"}), RawRow(9, {"sku": "M", "kind": "group"})]
    )
    assert [(error.row, error.reason) for error in bad.errors] == [
        (1, "The group M in row 9 has errors."),
        (9, "The name is missing."),
    ]


def workbook(*sheets, fill=None):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    if fill:
        fill(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_xlsx_is_read_with_its_dates_percentages_errors_and_hidden_sheets(settings):
    settings.TIME_ZONE = "UTC"
    rows = [
        ["Spring prices"],
        ["sku", "name", "price", "weight", "publish_from", "attributes.rebate", "stock"],
        ["A", "Café", 1250.1, 0.1 + 0.2, datetime(2026, 12, 31), 0.5, 3.0],  # noqa: DTZ001
        [],
        [123, "B", "1.234,56 €", None, "31.12.2026", "x", "#N/A"],
        [400638133393, "C", 1, None, None, 7, 1],
    ]

    def fill(book):
        book["Old"].sheet_state = "hidden"
        book["Products"].merge_cells("A1:C1")
        book["Products"]["F3"].number_format = "0%"
        book["Products"]["A6"].number_format = "0" * 13

    content = workbook(("Old", [["sku", "name"], ["OLD", "x"]]), ("Notes", [["hello"]]), ("Products", rows), fill=fill)
    table = understood(content, "products.csv")  # the name does not matter
    assert describe(table).startswith(
        "Excel, sheet “Products”, decimal comma, day before month, header in row 2; 7 columns"
    )
    first_row, second, third = table.rows()
    assert third.values["sku"] == "0400638133393"
    assert dict(first_row.values) == {
        "sku": "A",
        "name": "Café",
        "price": "1250.1",
        "weight": "0.3",
        "publish_from": "2026-12-31T00:00:00+00:00",
        "attributes": {"rebate": "50%"},
        "stock_quantity": "3",
    }
    assert (second.number, second.values["sku"], second.values["price"]) == (5, "123", "1234.56")
    assert [fault.code for fault in second.faults] == ["spreadsheet_error"]
    assert next(understood(content, sheet="Old").rows()).values["sku"] == "OLD"
    with pytest.raises(UnreadableFile, match="There is no sheet Gone"):
        understood(content, sheet="Gone")


def test_ods_is_read():
    pytest.importorskip("python_calamine")
    cells = "".join(
        f"<table:table-cell office:value-type='string'><text:p>{c}</text:p></table:table-cell>" for c in "AB"
    )
    header = cells.replace(">A<", ">sku<").replace(">B<", ">name<")
    table = understood(
        ods(f"<table:table-row>{header}</table:table-row><table:table-row>{cells}</table:table-row>"), "x.ods"
    )
    assert [(row.number, dict(row.values)) for row in table.rows()] == [(2, {"sku": "A", "name": "B"})]
    assert describe(table).startswith("OpenDocument, sheet “P”")


def ods(rows):
    out = io.BytesIO()
    names = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for short, name in (("office", "office"), ("table", "table"), ("text", "text"))
    )
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr(
            "content.xml",
            f"<?xml version='1.0'?><office:document-content {names}><office:body><office:spreadsheet>"
            f"<table:table table:name='P'>{rows}</table:table></office:spreadsheet></office:body>"
            "</office:document-content>",
        )
    return out.getvalue()


def test_spreadsheets_that_unpack_to_too_much_are_refused(monkeypatch):
    cell = "<table:table-cell table:number-columns-repeated='16384'><text:p>x</text:p></table:table-cell>"
    with pytest.raises(FileTooLarge):
        understood(ods(f"<table:table-row table:number-rows-repeated='1048576'>{cell}</table:table-row>"), "x.ods")
    monkeypatch.setattr(spreadsheets, "SMALL", 1024)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "x")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 5_000_000)
    with pytest.raises(FileTooLarge):
        understood(bomb.getvalue(), "x.xlsx")
    for content in (b"PK\x03\x04rubbish", b"\xd0\xcf\x11\xe0old"):
        with pytest.raises(UnreadableFile):
            understood(content, "x.xlsx")


def test_wide_and_long_cells_are_read_or_refused_by_row():
    header = ",".join(["sku", "name", "price", "description", *(f"meta:{n}" for n in range(300))])
    report = load(f'{header}\nA,a,1,"{"x" * 1_000_000}"\nB,b,1,short\n', on_error="report")
    assert (faults(report), report.created) == ([(2, "description", "string_too_long")], 1)
    assert len(report.errors[0].value) == 80
    with pytest.raises(UnreadableFile, match="longer than 4 MB"):
        understood("sku,name\nA," + "x" * 5_000_000)
    with pytest.raises(UnreadableFile, match="Row 2 is not CSV"):
        list(understood('sku,name\nA,"B\n' + "C,D\n" * 10).rows())


def test_row_with_more_cells_than_columns_is_refused():
    report = load("sku,name,price\nA,a,1,,\nB,b,1,extra\n", on_error="report")
    assert (report.created, faults(report)) == (1, [(3, "", "too_many_cells")])


SHOPIFY = (
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,"
    "Variant Grams,Variant Inventory Qty,Variant Price,Variant Compare At Price,Variant Taxable,Variant Barcode,"
    "Image Src,Image Position,Image Alt Text,SEO Title,Variant Image,Status\n"
)


def test_shopify_rows_of_a_product_belong_together_wherever_they_stand():
    text = SHOPIFY + (
        'shirt,Shirt,"<p>Soft &amp; <b>warm</b></p><ul><li>a</li><li>b</li></ul><script>alert(1)</script>",Acme,'
        'Clothing > Shirts,Top,"a, b",true,Size,S,SH-S,250,12,18.00,21.00,true,\'0123,https://x.example/1.jpg,1,Front,seo,,active\n'
        "mug,Mug,Nice,Acme,Kitchen,,,false,Title,Default Title,MUG,,-3,5.00,0,false,,,,,,,active\n"
        "shirt,,,,,,,,,M,,300,1,19.00,,true,,https://x.example/2.jpg,2,,,https://x.example/m.jpg,\n"
        "shirt,,,,,,,,,,,,,,,,,https://x.example/3.jpg,3,,,,\n"
        ",,,,,,,,,,LOST,,,1,,,,,,,,,\n"
    )
    report = load(text, on_error="report")
    assert (report.rows, report.created, faults(report)) == (5, 4, [(6, "", "unreadable")])
    assert (report.new_categories, report.pictures) == (3, 4)
    shirt, small, medium, mug = (products.get(sku) for sku in ("shirt", "SH-S", "shirt-m", "MUG"))
    assert shirt.description == "Soft & warm\n\n- a\n- b"
    assert shirt.attributes == {"brand": "Acme", "type": "Top", "tags": ["a", "b"]}
    assert (shirt.kind, shirt.price, small.parent, medium.parent) == ("group", Decimal(18), shirt, shirt)
    assert (small.options, medium.options, small.attributes) == ({"Size": "S"}, {"Size": "M"}, {"gtin": "0123"})
    assert (small.weight, small.compare_at_price, small.stock_quantity) == (Decimal("0.25"), Decimal(21), 12)
    assert (mug.kind, mug.is_active, mug.stock_quantity, mug.tax_class) == ("simple", False, 0, "zero")
    assert list(Category.objects.values_list("name", flat=True).order_by("pk")) == ["Clothing", "Kitchen", "Shirts"]
    again = load(text, on_error="report")
    assert (again.created, again.updated, again.new_categories) == (0, 4, 0)


WOO = (
    "ID,Type,SKU,Name,Published,Short description,Description,Tax status,Tax class,Stock,Weight (lbs),Sale price,"
    "Regular price,Date sale price ends,Categories,Tags,Images,Parent,Attribute 1 name,Attribute 1 value(s)\n"
)


def test_woocommerce_variations_find_their_parent_by_id_or_sku():
    text = WOO + (
        "9,variation,,Shirt - S,0,,,,,4,,,12,,,,,id:7,Size,S\n"
        "8,variation,W-M,Shirt - M,1,,,,,5,,,13,,,,,id:7,Size,M\n"
        '7,variable,,Shirt,1,Short,"Long\\ntext",taxable,reduced-rate,,,,,,"Top > Shirts, Sale",new,'
        '"https://x.example/a.jpg, https://x.example/b.jpg",,Size,"S, M"\n'
        "6,simple,W-6,Mug,-1,,,none,,3,2,9,12,2020-01-01,Sale,,,,Colour,red\n"
        '5,"simple, virtual",W-5,Book,0,,,,,,,9,12,2090-01-01,Sale,,,,,\n'
        "4,grouped,W-4,Set,1,,,,,,,,,,Sale,,,,,\n"
    )
    report = load(text, on_error="report")
    assert (report.rows, report.created, report.pictures) == (6, 5, 2)
    assert (4 + 3, "kind", "unknown_type") in faults(report)
    group, small, mug, book = (products.get(sku) for sku in ("woo-7", "woo-9", "W-6", "W-5"))
    assert (small.parent, small.options, small.name, group.price) == (group, {"Size": "S"}, "Shirt", Decimal(13))
    assert not small.is_active
    assert (group.description, group.tax_class, small.tax_class) == ("Short\n\nLong\ntext", "reduced", "reduced")
    assert (mug.price, mug.is_active, mug.tax_class, mug.weight) == (Decimal(12), False, "zero", Decimal("0.907"))
    assert (mug.attributes, book.price, book.compare_at_price) == ({"Colour": "red"}, Decimal(9), Decimal(12))
    assert sorted(Category.objects.values_list("name", flat=True)) == ["Sale", "Shirts", "Top"]
    assert statistics.for_category("sale").count == 1


def test_corrections_never_overwrite_the_file_that_is_imported(tmp_path):
    path = tmp_path / "products.csv"
    path.write_text("sku,name,price\nA,x,none\n")
    (tmp_path / "link.csv").symlink_to(path)
    for name in ("products.csv", "link.csv"):
        with pytest.raises(CommandError, match="Name another file"):
            call_command("import_products", str(path), corrections=tmp_path / name)
    assert "A,x,none" in path.read_text()


@pytest.mark.parametrize("part", ["<!--", "<a ", "<![CDATA[", "<!x", "<?", "</", "<script", "<a b='"])
def test_damaged_html_is_read_in_the_time_that_its_length_needs(part):
    seconds = []
    for count in (2_000, 16_000):
        start = time.process_time()
        as_text(f"<p>{part * count}")
        seconds.append(time.process_time() - start)
    assert seconds[1] < 0.05 + seconds[0] * 25  # 64 times as long where each one searches the rest


def test_comments_of_html_are_left_out():
    assert as_text("<!doctype html><p>A<!-- > b --><!-- <p>c</p> -->d</p> 1 <2") == "Ad\n\n1 <2"


def test_comma_in_an_option_of_woocommerce_is_the_value_s():
    text = WOO + (
        '7,variable,W-7,Shirt,1,,,,,,,,,,,,,,Colour,"Red\\, dark, Blue"\n'
        '8,variation,W-8,Shirt,1,,,,,,,,13,,,,,W-7,Colour,"Red\\, dark"\n'
    )
    assert load(text).created == 2
    assert products.get("W-8").options == {"Colour": "Red, dark"}


TRANSLATED = {
    "German": "ID;Typ;Artikelnummer;Name;Veröffentlicht;Steuerstatus;Vorrätig?;Bestand;Gewicht (kg);Angebotspreis;"
    "Regulärer Preis;Kategorien;Bilder;Übergeordnetes Produkt;Attribut 1 Name;Attribut 1 Wert(e);Attribut 1 Sichtbar",
    "French": "ID;Type;UGS;Nom;Publié;État de la TVA;En stock ?;Stock;Poids (kg);Tarif promo;Tarif régulier;"
    "Catégories;Images;Parent;Nom de l’attribut 1;Valeur(s) de l’attribut 1;Attribut 1 visible",
    "Spanish": "ID;Tipo;SKU;Nombre;Publicado;Estado del impuesto;¿Existencias?;Inventario;Peso (kg);Precio rebajado;"
    "Precio normal;Categorías;Imágenes;Superior;Nombre del atributo 1;Valor(es) del atributo 1;Atributo visible 1",
}


@pytest.mark.parametrize("language", TRANSLATED)
def test_woocommerce_exports_in_the_language_of_the_staff(language):
    table = understood(
        TRANSLATED[language] + "\n7;variable;;Tasse;1;none;1;;;;;Küche > Tassen;;;Farbe;rot;1\n"
        "8;variation;T-1;Tasse;-1;none;1;3;0,5;9,50;12,50;;;id:7;Farbe;rot;1\n"
    )
    assert (table.column_map.name, len(table.unused)) == ("woocommerce", 2)
    group, variant = (row.values for row in table.rows())
    assert (group["kind"], group["categories"], group["tax_class"]) == ("group", ["Küche > Tassen"], "zero")
    assert (variant["options"], variant["parent"], variant["is_active"]) == ({"Farbe": "rot"}, "id:7", False)
    assert (variant["price"], variant["compare_at_price"]) == ("9.50", "12.50")
    assert (variant["stock_quantity"], variant["weight"]) == ("3", "0.5")


def test_newer_headers_of_shopify():
    report = load(
        "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,Barcode,"
        "Option1 name,Option1 value,Option1 Linked To,Price,Compare-at price,Cost per item,Charge tax,"
        "Inventory quantity,Weight value (grams),Weight unit for display,Product image URL,Image position,"
        "Image alt text,Variant image URL,Gift card\n"
        "Shirt,shirt,<p>Nice</p>,Acme,Apparel > Shirts,Shirt,a,TRUE,Active,S-1,4006381333931,Size,S,,19.90,25.00,9,"
        "TRUE,5,200,g,https://cdn.example/1.jpg,1,front,,FALSE\n"
        ",shirt,,,,,,,,S-2,'0040063813339,,M,,19.90,,9,FALSE,7,250,g,,,,https://cdn.example/v.jpg,\n"
    )
    group, small, medium = (products.get(sku) for sku in ("shirt", "S-1", "S-2"))
    assert (report.rows, report.created, report.pictures) == (2, 3, 2)
    assert (group.description, group.is_active, group.attributes["brand"]) == ("Nice", True, "Acme")
    assert (small.price, small.compare_at_price, small.stock_quantity) == (Decimal("19.90"), Decimal(25), 5)
    assert (medium.parent, medium.options, medium.tax_class) == (group, {"Size": "M"}, "zero")
    assert (medium.weight, medium.attributes["gtin"]) == (Decimal("0.250"), "0040063813339")


def test_skus_that_are_made_for_shopify_variants_are_short_and_different():
    handle = "a-very-long-handle-" * 6
    row = f"{handle},{{}},,,,,,true,{{}},{{}},,,1,5.00" + "," * 10
    rows = [row.format("Shirt", "Size", "S"), row.format("", "", "M"), row.format("", "", "L")]
    report = load(SHOPIFY + "\n".join(rows) + "\n")
    assert (report.created, report.failed) == (4, 0)
    assert all(len(sku) == 64 for sku in Product.objects.values_list("sku", flat=True))
    assert load(SHOPIFY + "\n".join(rows) + "\n").updated == 4


def test_headers_that_look_like_letters_do_not_hide_the_letters():
    text = "B,A,sku\nb,a,S\n"
    assert first(text, columns={"#A": "name"})["name"] == "b"
    assert first(text, columns={"A": "name"})["name"] == "a"


def test_without_the_library_a_spreadsheet_says_what_to_install(monkeypatch):
    content = workbook(("P", [["sku", "name"], ["A", "a"]]))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UnreadableFile, match=r"django-shop-catalogue\[spreadsheets\]"):
        understood(content)


def test_maps_of_ones_own_are_json_files(tmp_path, settings, capsys):
    path = tmp_path / "supplier.json"
    path.write_text(
        '{"columns": {"Art": "sku", "Text": "name", "VK": "price", "EK": "", "Farbe": "attributes.colour"}}'
    )
    file = tmp_path / "list.csv"
    file.write_text("Art;Text;VK;EK;Farbe\nA;Cup;3,50;1,00;red\n")
    settings.SHOP_CATALOG = {"CURRENCY": "EUR", "IMPORT_MAPS": {"supplier": str(path)}}
    wanted = {"sku": "A", "name": "Cup", "price": "3.50", "attributes": {"colour": "red"}}
    assert first(file.read_bytes(), column_map="supplier") == wanted
    call_command("import_products", str(file), map=str(path), preview=True)
    assert Product.objects.count() == 0
    shown = capsys.readouterr().out
    assert "5 columns" not in shown
    assert "D  EK -> not used  (1,00)" in shown
    call_command("import_products", str(file), map="supplier")
    assert products.get("A").price == Decimal("3.50")
    path.write_text('{"columns": {"Art": "skuu"}}')
    with pytest.raises(CommandError, match="There is no column skuu"):
        call_command("import_products", str(file), map="supplier")
    with pytest.raises(UnreadableFile, match=r"no column map /etc/passwd"):
        understood("sku\nA\n", column_map="/etc/passwd")


def test_command_takes_choices_and_writes_the_rows_to_correct(tmp_path, capsys):
    file, corrections = tmp_path / "list.csv", tmp_path / "corrections.csv"
    file.write_bytes(
        "Art|Bez.|Preis|Art der Ware|publish_from\nA|Tée|1.250|Simple|01/02/2026\nB|b|x||\n".encode("cp850")
    )
    options = {
        "encoding": "cp850",
        "delimiter": "bar",
        "decimal": "point",
        "dates": "month",
        "column": ["Art=sku", "#B=name", "#D=kind"],
        "on_error": "report",
        "corrections": corrections,
    }
    with pytest.raises(CommandError, match="Some rows have errors"):
        call_command("import_products", str(file), **options)
    assert capsys.readouterr().out.endswith("2 rows: 1 created, 0 updated, 1 failed.\n")
    tea = products.get("A")
    assert (tea.name, tea.price, tea.publish_from.month) == ("Tée", Decimal("1.25"), 1)
    assert corrections.read_text("utf-8-sig").splitlines() == [
        "Art|Bez.|Preis|Art der Ware|publish_from|errors",
        "B|b|x|||Preis: This is not a number.",
    ]
    with pytest.raises(CommandError, match="HEADER=NAME"):
        call_command("import_products", str(file), column=["Art"])


COUNTS = {"shopify.csv": (500, 750, 0, 250), "woo.csv": (500, 500, 0, 500), "excel-semicolon.csv": (5, 5, 0, 0)}


@pytest.mark.parametrize("name", COUNTS)
def test_sample_files_are_imported_with_exact_counts(name, shared_data):
    categories.create("Mugs and bowls", slug="mugs-bowls")
    content = (shared_data / "imports" / name).read_bytes()
    report = load(content, name)
    assert (report.rows, report.created, report.failed, report.pictures) == COUNTS[name]
    assert Product.objects.count() == report.created
    if name == "shopify.csv":
        assert Product.objects.filter(kind="group").count() == 250
        assert statistics.for_category("shirts-tops").count == 500
    again = load(content, name)
    assert (again.created, again.updated, again.failed) == (0, COUNTS[name][1], 0)
    assert inventory.differences() == []


def post(api, path, content, content_type="text/csv", **query):
    return api.client.post(
        f"/api/v1/products/products/bulk_create/{path}?{urlencode(query, doseq=True)}", content, content_type
    )


def test_api_shows_how_a_file_is_understood_and_takes_corrections(staff_api):
    text = b"Art;Name;Preis;Farbton\nA;Cup;1.250,00;red\nB;Mug;x;blue\n"
    body = post(staff_api, "preview/", text, column=["Art=sku", "Farbton=attributes.colour"]).json()
    assert body["understood"] == "semicolons, UTF-8, decimal comma; 4 columns known, 0 not used"
    assert (body["map"], body["delimiter"], body["header_row"], body["rows"]) == ("own", ";", 1, 2)
    assert body["columns"][2] == {"letter": "C", "header": "Preis", "holds": "price", "example": "1.250,00"}
    assert body["products"][0] == {
        "row": 2,
        "values": {"sku": "A", "name": "Cup", "price": "1250.00", "attributes": {"colour": "red"}},
        "problem": "",
    }
    assert "No column holds the SKU" in post(staff_api, "preview/", text).json()["warnings"][0]
    assert post(staff_api, "", text).status_code == 422
    body = post(staff_api, "", text, column="Art=sku", corrections="true").json()
    assert (body["failed"], body["written"], body["understood"][:10]) == (1, 0, "semicolons")
    assert body["errors"][0]["column"] == "Preis"
    assert body["corrections"].splitlines()[1].startswith("B;Mug;x;blue;")
    assert post(staff_api, "", text, column="Art", map="own").status_code == 422
    assert post(staff_api, "preview/", text, map="/etc/passwd").status_code == 422
    assert Product.objects.count() == 0
    body = post(staff_api, "preview/", '[{"sku": "A"}]', "application/json").json()
    assert (body["understood"], body["products"]) == ("", [{"row": 1, "values": {"sku": "A"}, "problem": ""}])
    content = workbook(("P", [["sku", "name", "price"], ["A", "a", 1.5]]))
    assert post(staff_api, "", content, XLSX_TYPE).json()["created"] == 1
    assert post(staff_api, "preview/", b"PK\x03\x04", XLSX_TYPE).status_code == 422


def test_admin_shows_how_a_file_is_understood_and_lets_it_be_corrected(client, staff):
    staff.is_superuser = staff.is_staff = True
    staff.save()
    client.force_login(staff)
    page = reverse("admin:shop_catalog_product_import")

    def uploaded(content, name="list.csv"):
        return client.post(page, {"file": SimpleUploadedFile(name, content)}).url

    preview = uploaded(b"Art;Name;Preis\nA;Cup;1.250\nB;Mug;x\n")
    assert "No column holds the SKU" in client.get(preview).content.decode()
    assert "There is no encoding" not in client.get(preview, {"encoding": "nonsense"}).content.decode()
    assert "The file is not text in UTF-16" in client.get(preview, {"encoding": "utf-16"}).content.decode()
    chosen = {"column_A": "sku", "decimal": "."}
    shown = client.get(preview, chosen).content.decode()
    assert "Read as own: semicolons, UTF-8, decimal point; 3 columns known, 0 not used." in shown
    assert "price: 1.250" in shown
    assert "This is not a number." in shown
    assert '<option value="sku" selected>' in shown
    corrections = client.get(preview, chosen | {"corrections": "1"})
    assert corrections.content.decode("utf-8-sig").splitlines()[1].startswith("B;Mug;x;")
    assert corrections["Content-Disposition"] == 'attachment; filename="corrections.csv"'
    done = client.post(f"{preview}?{urlencode(chosen)}", {"on_error": "report"}, follow=True).content.decode()
    assert "1 products written: 1 created, 0 updated. 1 rows failed." in done
    assert products.get("A").price == Decimal("1.25")
    preview = uploaded(b"sku,name,price\nC,c,1\nD,d,x\n")
    assert "Nothing was imported: 1 rows have errors." in client.post(preview, follow=True).content.decode()
    assert Product.objects.count() == 1
    preview = uploaded(
        workbook(("Old", [["sku", "name"], ["O", "x"]]), ("New", [["sku", "name"], ["N", "x"]])), "a.xlsx"
    )
    assert "sku: N" in client.get(preview, {"sheet": "New"}).content.decode()
