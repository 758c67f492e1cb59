"""Products from files: formats, row errors, upsert, dry run; the commands and the upload."""

import io
import json
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from shop_catalog import categories, inventory, products, signals, statistics
from shop_catalog.imports import RawRow, import_products, read_rows
from shop_catalog.models import Product, ProductCategory, ProductImage, StockMovement

pytestmark = pytest.mark.django_db
BULK = "/products/bulk_create/"


def load(text, file_format="csv", **options):
    content = text if isinstance(text, bytes) else text.encode()
    return import_products(read_rows(io.BytesIO(content), file_format=file_format), **options)


def errors_of(report):
    return [(error.row, error.field, error.code) for error in report.errors]


@pytest.fixture
def food():
    root = categories.create("Food")
    categories.create("Fruit", parent=root)
    return root


def test_csv_creates_then_updates_by_sku(food):
    report = load(
        "sku,name,price,categories,stock_quantity,attributes.colour,is_featured\n"
        "A,Apple,1.50,Food > Fruit|food,7,red,yes\n"
        "B,Pear,2,fruit,,,\n"
    )
    assert (report.rows, report.created, report.updated, report.failed) == (2, 2, 0, 0)
    apple = products.get("A")
    assert (apple.name, apple.slug, apple.price, apple.stock_quantity) == ("Apple", "apple", Decimal("1.50"), 7)
    assert (apple.attributes, apple.is_featured) == ({"colour": "red"}, True)
    links = ProductCategory.objects.filter(product=apple).order_by("position")
    assert list(links.values_list("category__slug", flat=True)) == ["fruit", "food"]
    assert (products.get("B").stock_quantity, products.get("B").is_featured) == (0, False)

    report = load("sku,price,stock_quantity\nA,3.00,9\n")
    assert (report.created, report.updated) == (0, 1)
    apple = products.get("A")
    assert (apple.name, apple.price, apple.stock_quantity, apple.is_featured) == ("Apple", Decimal(3), 9, True)
    assert list(apple.price_changes.values_list("old_price", "new_price")) == [(Decimal("1.5"), Decimal(3))]
    assert inventory.differences() == []
    assert list(links.values_list("category__slug", flat=True)) == ["fruit", "food"]


def test_imported_stock_does_not_change_reservations(food):
    load("sku,name,price,stock_quantity\nA,Apple,1,5\n")
    inventory.reserve({"A": 3}, reference="order-1")
    load("sku,stock_quantity\nA,8\n")
    apple = products.get("A")
    assert (apple.stock_quantity, apple.reserved_quantity) == (8, 3)
    assert errors_of(load("sku,stock_quantity\nA,2\n")) == [(2, "stock_quantity", "invalid_product")]
    assert products.get("A").stock_quantity == 8
    assert inventory.differences() == []


def test_groups_and_variants_in_any_order(food):
    rows = [
        {"sku": "S-L", "parent": "S", "price": "5.00", "options": {"size": "L"}, "stock_quantity": 2},
        {"sku": "S", "name": "Shirt", "kind": "group", "categories": ["food"]},
        {"sku": "S-M", "parent": "S", "price": "4.00", "options": {"size": "M"}},
    ]
    report = load("\n".join(map(json.dumps, rows)), "ndjson")
    assert (report.created, errors_of(report)) == (3, [])
    group = products.get("S")
    assert (group.price, group.variants.count()) == (Decimal(4), 2)
    assert {"#sl", "#sm", "l", "m"} <= set(group.search_text.split())
    assert statistics.for_category("food") == statistics.PriceStatistics(
        2, Decimal("4.50"), Decimal("4.00"), Decimal("5.00")
    )
    load(json.dumps([{"sku": "S-M", "price": "9.00"}]), "json")
    assert products.get("S").price == Decimal(5)
    assert statistics.for_category("food").average == Decimal("7.00")
    statistics.fold()
    assert statistics.for_category("food").average == Decimal("7.00")


BAD_ROWS = {
    '{"sku": "A"}': ("name", "invalid_product"),
    '{"sku": "A", "name": "A"}': ("price", "invalid_product"),
    '{"sku": "", "name": "A", "price": "1"}': ("sku", "string_too_short"),
    '{"name": "A", "price": "1"}': ("sku", "missing"),
    '{"sku": "A", "name": "A", "price": null}': ("price", "invalid_product"),
    '{"sku": "DRAFT", "is_active": true}': ("price", "invalid_product"),
    '{"sku": "OLD", "price": ""}': ("price", "value_error"),
    '{"sku": "A", "name": "A", "price": "-1"}': ("price", "value_error"),
    '{"sku": "A", "name": "A", "price": "1e400"}': ("price", "value_error"),
    '{"sku": "A", "name": "A", "price": "0.001"}': ("price", "invalid_price"),
    '{"sku": "A", "name": "A", "price": "99999999999"}': ("price", "decimal_whole_digits"),
    '{"sku": "A", "name": "A", "price": 1}': ("price", "value_error"),
    '{"sku": "A", "name": "A", "price": "1", "stock_quantity": -1}': ("stock_quantity", "greater_than_equal"),
    '{"sku": "A", "name": "A", "price": "1", "stock_quantity": 2147483648}': ("stock_quantity", "less_than_equal"),
    '{"sku": "A", "name": "A", "price": "1", "stock_quantity": 1.5}': ("stock_quantity", "int_type"),
    '{"sku": "A", "name": "A", "price": "1", "stock_quantity": "5.0"}': ("stock_quantity", "int_type"),
    '{"sku": "A", "name": "A", "price": "1", "is_active": "perhaps"}': ("is_active", "bool_type"),
    '{"sku": "A", "name": "A", "price": "1", "categories": ["nowhere"]}': ("categories", "invalid_product"),
    '{"sku": "A", "name": "A", "price": "1", "is_staff": true}': ("is_staff", "extra_forbidden"),
    '{"sku": "A", "name": "A", "price": "1", "kind": "bundle"}': ("kind", "literal_error"),
    '{"sku": "A", "name": "A", "price": "1", "kind": "group"}': ("price", "invalid_product"),
    '{"sku": "A", "name": "A", "kind": "group", "stock_quantity": 1}': ("stock_quantity", "invalid_product"),
    '{"sku": "A", "price": "1", "parent": "NONE"}': ("parent", "invalid_product"),
    '{"sku": "A", "name": "A", "price": "1", "parent": "OLD"}': ("parent", "invalid_product"),
    '{"sku": "A", "name": "A", "price": "1", "slug": "old"}': ("slug", "invalid_product"),
    '{"sku": "A", "name": "A", "price": "1", "slug": "a b"}': ("slug", "string_pattern_mismatch"),
    '{"sku": "OLD", "kind": "group"}': ("kind", "invalid_product"),
    '{"sku": "A", "name": "nul\\u0000", "price": "1"}': ("name", "value_error"),
    '{"sku": "A", "name": "\\ud800", "price": "1"}': ("name", "string_unicode"),
    '{"sku": "A", "name": "A", "price": "1", "attributes": {"a": "\\u0000"}}': ("attributes", "value_error"),
    '{"sku": "A", "name": "A", "price": "1", "attributes": {"a": 1e400}}': ("attributes", "value_error"),
    '{"sku": "A", "name": "A", "price": "1", "publish_from": "0001-01-01T00:00:00+14:00"}': (
        "publish_from",
        "value_error",
    ),
    '{"sku": "A", "name": "A", "price": "1", "attributes": {"a": NaN}}': ("", "unreadable"),
    '{"sku": "A", "sku": "B"}': ("", "unreadable"),
    "[]": ("", "unreadable"),
    "{": ("", "unreadable"),
    "[" * 5000: ("", "unreadable"),
}


def test_invalid_rows_are_reported_and_valid_ones_written():
    products.create("OLD", name="Old", slug="old", price=Decimal(1))
    products.create("DRAFT", name="Draft", is_active=False)
    good = '{"sku": "GOOD", "name": "Good", "price": "1.00"}'
    bad = [row.replace('{"sku": "A"', f'{{"sku": "A{number}"') for number, row in enumerate(BAD_ROWS)]
    report = load("\n".join([*bad, good]), "ndjson", on_error="report")
    expected = {(row, *what) for row, what in enumerate(BAD_ROWS.values(), start=1)}
    assert expected <= set(errors_of(report))
    assert {error.row for error in report.errors} == set(range(1, len(BAD_ROWS) + 1))
    assert all(error.reason for error in report.errors)
    assert (report.created, report.failed) == (1, len(BAD_ROWS))
    assert set(Product.objects.values_list("sku", flat=True)) == {"OLD", "DRAFT", "GOOD"}
    assert (products.get("OLD").price, products.get("DRAFT").price) == (Decimal(1), None)


def test_empty_cell_is_no_price_and_zero_is_free(food):
    report = load(
        "sku,name,price,is_active,categories\n"
        "A,Apple,,yes,food\n"
        "B,Pear,,no,food\n"
        "C,Sample,0,yes,food\n"
        "D,Plum,2.00,yes,food\n",
        on_error="report",
    )
    assert (report.created, errors_of(report)) == (3, [(2, "price", "invalid_product")])
    assert "Enter 0 if it is free" in report.errors[0].reason
    assert dict(Product.objects.values_list("sku", "price")) == {"B": None, "C": Decimal(0), "D": Decimal(2)}
    assert statistics.for_category("food").count == 2

    report = load("sku,name,price\nB,Big pear,\nC,Big sample,\nD,Big plum,\n")
    assert (report.updated, errors_of(report)) == (3, [])
    assert dict(Product.objects.values_list("sku", "price")) == {"B": None, "C": Decimal(0), "D": Decimal(2)}
    load(json.dumps([{"sku": "D", "price": None}, {"sku": "D", "name": "Plum"}]), "json")
    assert products.get("D").price == Decimal(2)
    assert not products.get("D").price_changes.exists()

    report = load("sku,price,is_active\nB,4.00,yes\nC,,no\n")
    assert (report.updated, errors_of(report)) == (2, [])
    assert list(products.get("B").price_changes.values_list("old_price", "new_price")) == [(None, Decimal(4))]
    assert statistics.for_category("food") == statistics.PriceStatistics(
        2, Decimal("3.00"), Decimal("2.00"), Decimal("4.00")
    )


def test_import_lists_a_group_with_its_first_priced_variant(food):
    report = load("sku,name,kind,parent,price,is_active\nS,Shirt,group,,,yes\nS-L,,variant,S,,no\n")
    assert (report.created, errors_of(report)) == (2, [])
    assert not Product.objects.listed().exists()
    load("sku,price,is_active\nS-L,3.00,yes\n")
    assert list(Product.objects.listed().values_list("sku", "price")) == [("S", Decimal(3))]
    load("sku,is_active\nS-L,no\n")
    assert not Product.objects.listed().exists()


def test_refused_row_of_a_group_changes_nothing_through_its_variants():
    group = products.create("S", name="Shirt", kind="group")
    products.create("S-L", kind="variant", parent=group, price=Decimal(5))
    backwards = {"publish_from": "2100-01-02T00:00:00Z", "publish_until": "2100-01-01T00:00:00Z"}
    report = load(
        json.dumps([{"sku": "S", "name": "Refused", **backwards}, {"sku": "S-L", "price": "4.00"}]),
        "json",
        on_error="report",
    )
    assert errors_of(report) == [(1, "publish_until", "invalid_product")]
    group, variant = products.get("S"), products.get("S-L")
    assert (group.name, group.price, variant.is_scheduled) == ("Shirt", Decimal(4), False)
    assert "refused" not in group.search_text


def test_product_list_opens_no_image_file(anyone):
    product = products.create("A", name="Apple", price=Decimal(1))
    ProductImage.objects.bulk_create(
        [ProductImage(product=product, file="gone.jpg", is_primary=True, width=1, height=1, renditions="240 480")]
    )
    assert anyone.get("/products/").json()["items"][0]["image"] == {"url": "/media/gone.jpg.480.webp", "alt": ""}
    detail = anyone.get("/products/apple/").json()
    assert detail["images"][0]["renditions"]["thumb"] == "/media/gone.jpg.240.webp"
    assert anyone.get("/products/apple/images/").status_code == 200


def test_stop_writes_all_or_nothing():
    report = load("sku,name,price\nA,Apple,1\nB,,\n", on_error="stop")
    assert (report.failed, report.is_written) == (1, False)
    assert Product.objects.count() == 0
    assert load("sku,name,price\nA,Apple,1\nB,Pear,1\n", on_error="stop").is_written
    assert Product.objects.count() == 2


def test_dry_run_reports_and_writes_nothing():
    report = load("sku,name,price,stock_quantity\nA,Apple,1,4\nB,,,\n", dry_run=True)
    assert (report.created, report.failed, report.is_written) == (1, 1, False)
    assert (Product.objects.count(), StockMovement.objects.count()) == (0, 0)


def test_repeated_sku_is_the_later_row_also_with_blanks_around_it():
    report = load('sku,name,price\nA,Apple,1\n"A ",Pear,2\n" A",,3\n')
    assert (report.rows, report.created, report.updated, report.repeated) == (3, 1, 0, 2)
    assert (products.get("A").name, products.get("A").price) == ("Pear", Decimal(3))


def test_cells_that_look_like_formulas_are_text():
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"]
    report = load("sku,name,price\n" + "".join(f'S{i},"{name}",1\n' for i, name in enumerate(names)))
    assert report.created == 5
    assert list(Product.objects.order_by("sku").values_list("name", flat=True)) == [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "x",
    ]


def test_same_names_get_different_slugs():
    load("sku,name,price\n" + "".join(f"S{i},Same,1\n" for i in range(4)))
    assert Product.objects.values("slug").distinct().count() == 4


@pytest.mark.parametrize(
    ("content", "file_format"),
    [
        (b"name,price\nA,1\n", "csv"),
        (b"", "csv"),
        (b"\x1f\x8b\x08\x00", "csv"),
        (b"sku,name\nA\0,B\n", "csv"),
        (b'sku,name\nA,"B\n', "csv"),
        (b"\xff\xfe{\0}\0", "ndjson"),
        (b"{}", "json"),
        (b"[1", "json"),
        (b"[" * 100_000, "json"),
        (b'[{"sku": NaN}]', "json"),
    ],
)
def test_unreadable_files_are_refused(content, file_format):
    from shop_catalog.exceptions import UnreadableFile

    with pytest.raises(UnreadableFile):
        load(content, file_format)
    assert Product.objects.count() == 0


def test_number_of_statements_depends_on_chunks_and_not_on_rows(django_assert_max_num_queries):
    rows = "sku,name,price,stock_quantity\n" + "".join(f"S{i},Product {i},1.00,3\n" for i in range(900))
    with django_assert_max_num_queries(26):
        load(rows)
    assert Product.objects.count() == 900
    with django_assert_max_num_queries(50):  # Django 5.2 writes the movements in smaller parts on SQLite
        load(rows.replace(",1.00,3", ",2.00,4"))
    assert Product.objects.filter(price=2, stock_quantity=4).count() == 900
    assert inventory.differences() == []


@pytest.mark.django_db(transaction=True)
def test_import_sends_one_signal():
    received = []

    def receive_signal(*, payload, event_id, **_kwargs):
        received.append((payload["created"], payload["updated"], payload["failed"], bool(event_id)))

    signals.products_imported.connect(receive_signal)
    try:
        load("sku,name,price\nA,Apple,1\nB,,\n", on_error="report")
        load("sku,name,price\nA,Apple,2\n", dry_run=True)
    finally:
        signals.products_imported.disconnect(receive_signal)
    assert received == [(1, 0, 1, True)]


@pytest.mark.django_db(transaction=True)
def test_import_announces_stock_that_rose_from_zero_of_new_and_of_known_products():
    received = []

    def receive_signal(*, product, payload, **_kwargs):
        received.append((product.sku, payload["available"]))

    signals.stock_available.connect(receive_signal)
    try:
        load("sku,name,price,stock_quantity\nA,Apple,1,3\nB,Pear,1,0\nC,Plum,1,\n")
        load("sku,name,price,stock_quantity\nA,Apple,1,9\nB,Pear,1,2\n", dry_run=True)
        load("sku,name,price,stock_quantity\nA,Apple,1,9\nB,Pear,1,2\n")
    finally:
        signals.stock_available.disconnect(receive_signal)
    assert received == [("A", 3), ("B", 2)]
    assert inventory.differences() == []


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_command_reads_a_file_of_more_than_one_chunk(tmp_path, capsys, suffix):
    path = tmp_path / f"products.{suffix}"
    if suffix == "csv":
        path.write_text("sku,name,price\n" + "".join(f"S{i},Product {i},1.00\n" for i in range(1200)))
    else:
        path.write_text(
            "".join(json.dumps({"sku": f"S{i}", "name": "P", "price": "1.00"}) + "\n" for i in range(1200))
        )
    call_command("import_products", str(path))
    assert capsys.readouterr().out.endswith("1200 rows: 1200 created, 0 updated, 0 failed.\n")
    assert Product.objects.count() == 1200


def test_command_reports_row_field_and_reason(tmp_path, capsys):
    path = tmp_path / "products.csv"
    path.write_text("sku,name,price\nA,Apple,1\nB,Pear,minus one\n")
    with pytest.raises(CommandError):
        call_command("import_products", str(path), on_error="report")
    captured = capsys.readouterr()
    assert captured.err == "row 3 (B): price “minus one”: This is not a number.\n"
    assert captured.out.endswith("2 rows: 1 created, 0 updated, 1 failed.\n")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_products", str(tmp_path / "none.csv"))


def upload(api, content, content_type, **query):
    from urllib.parse import urlencode

    return api.client.post(f"/api/v1/products{BULK}?{urlencode(query)}", content, content_type=content_type)


def test_upload_accepts_json_lines_csv_array_and_forms(staff_api):
    row = {"sku": "A", "name": "Apple", "price": "1.00"}
    assert upload(staff_api, json.dumps([row]), "application/json").status_code == 201
    assert upload(staff_api, json.dumps(row) + "\n", "application/x-ndjson").status_code == 201
    response = upload(staff_api, "sku,name,price\nB,Pear,2\n", "text/csv; charset=utf-8")
    assert (response.status_code, response.json()["created"]) == (201, 1)
    file = SimpleUploadedFile("more.csv", b"sku,name,price\nC,Plum,2\n", "text/csv")
    response = staff_api.client.post(f"/api/v1/products{BULK}", {"file": file})
    assert (response.status_code, response.json()["created"]) == (201, 1)
    assert Product.objects.count() == 3


def test_upload_with_invalid_rows_responds_with_207_and_a_report(staff_api):
    response = upload(staff_api, "sku,name,price\nA,Apple,1\nB,Pear,x\n", "text/csv", on_error="report")
    assert response.status_code == 207
    body = response.json()
    assert (body["rows"], body["created"], body["failed"], body["is_written"]) == (2, 1, 1, True)
    assert body["written"] == 1
    assert body["errors"][0]["row"] == 3
    assert body["errors"][0]["field"] == "price"
    response = upload(staff_api, "sku,name,price\nC,Apple,1\nB,Pear,x\n", "text/csv", on_error="stop")
    assert (response.status_code, response.json()["is_written"]) == (207, False)
    assert Product.objects.count() == 1


def test_upload_dry_run_responds_with_200(staff_api):
    response = upload(staff_api, "sku,name,price\nA,Apple,1\n", "text/csv", dry_run="true")
    assert (response.status_code, response.json()["created"]) == (200, 1)
    assert Product.objects.count() == 0


def test_upload_is_limited_in_bytes_and_rows(staff_api, settings):
    settings.SHOP_CATALOG = {"CURRENCY": "KES", "BULK_MAX_BYTES": 200, "BULK_MAX_ROWS": 3}
    long = "sku,name,price\n" + "".join(f"S{i},Name,1\n" for i in range(50))
    response = upload(staff_api, long, "text/csv")
    assert (response.status_code, response.json()["code"]) == (413, "file_too_large")
    response = upload(staff_api, "sku,name,price\nA,A,1\nB,B,1\nC,C,1\nD,D,1\n", "text/csv")
    assert (response.status_code, response.json()["code"]) == (413, "file_too_large")
    file = SimpleUploadedFile("more.csv", b"x" * 200_000, "text/csv")
    assert staff_api.client.post(f"/api/v1/products{BULK}", {"file": file}).status_code == 413
    assert Product.objects.count() == 0


def test_upload_of_other_types_is_refused(staff_api):
    assert upload(staff_api, "x", "text/plain").status_code == 415
    assert upload(staff_api, "{}", "application/json").status_code == 422
    assert upload(staff_api, b"\xff\xfe", "text/csv").status_code == 422
    assert staff_api.client.post(f"/api/v1/products{BULK}", {}).status_code == 422


def test_upload_may_exceed_the_body_limit_of_django(staff_api, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    rows = "sku,name,price\n" + "".join(f"S{i},Product,1.00\n" for i in range(200))
    assert upload(staff_api, rows, "text/csv").json()["created"] == 200


def test_upload_requires_both_permissions(anyone, customer_api, make_user):
    from conftest import Api

    rows = "sku,name,price\nA,Apple,1\n"
    assert upload(anyone, rows, "text/csv").status_code == 401
    assert upload(customer_api, rows, "text/csv").status_code == 403
    half = Api(make_user("half", "add_product", is_staff=True))
    assert upload(half, rows, "text/csv").status_code == 403
    whole = Api(make_user("whole", "add_product", "change_product"))
    assert upload(whole, rows, "text/csv").status_code == 201


AWKWARD = "back\\slash \\N\ttab\nline\rreturn 'quote' \"double\" {brace} %s é 漢 🍏"


@pytest.mark.django_db
def test_awkward_text_is_stored_unchanged_by_insert_and_update():
    for text in (AWKWARD, AWKWARD[::-1]):
        row = {"sku": "a", "name": "A", "price": "1.00", "description": text, "attributes": {text: [text, None, 1]}}
        report = import_products([RawRow(1, row)])
        assert report.errors == []
        product = Product.objects.get(sku="a")
        assert (product.description, product.attributes) == (text.strip(), {text: [text, None, 1]})
        assert product.publish_from is None


@pytest.mark.django_db
def test_unchanged_rows_are_not_written_again():
    rows = [RawRow(1, {"sku": "a", "name": "A", "price": "1.00"}), RawRow(2, {"sku": "b", "name": "B", "price": "1"})]
    import_products(rows)
    before = dict(Product.objects.values_list("sku", "updated_at"))
    report = import_products([RawRow(1, {"sku": "a", "price": "2.00"}), rows[1]])
    after = dict(Product.objects.values_list("sku", "updated_at"))
    assert (report.updated, report.errors) == (2, [])
    assert after["a"] > before["a"]
    assert after["b"] == before["b"]
