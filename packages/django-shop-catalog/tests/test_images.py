"""Images: which files are accepted, and how they are stored."""

import io
import struct
import zlib
from decimal import Decimal

import pytest
from django.core.checks import run_checks
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connections
from django.urls import resolve
from PIL import Image
from shop_catalog import categories, images, products
from shop_catalog.conf import app_settings
from shop_catalog.exceptions import ImageTooLarge, InvalidImage
from shop_catalog.models import ProductImage
from shop_catalog.models.image import image_srcset, image_url, rendition_name

pytestmark = pytest.mark.django_db
WIDTHS = app_settings.RENDITION_WIDTHS


def picture(kind="JPEG", size=(600, 400), **options):
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, kind, **options)
    buffer.seek(0)
    return buffer


@pytest.fixture
def product():
    return products.create("A", name="Apple", price=Decimal(1))


def png_header(width, height):
    """A PNG whose header states a size, with almost no pixel data."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 20_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
def test_image_is_stored_with_its_size_and_renditions(product, kind, suffix):
    image = images.add(product, file=picture(kind, (1600, 800)), alt="An apple")
    image.refresh_from_db()
    assert (image.width, image.height, image.alt, image.is_primary, image.position) == (1600, 800, "An apple", True, 0)
    assert image.file.name.endswith(f".{suffix}")
    for width in WIDTHS.values():
        with default_storage.open(rendition_name(image.file.name, width)) as file:
            copy = Image.open(file)
            assert (copy.format, copy.size) == ("WEBP", (width, width // 2))
    assert image.renditions == "240 480 1200"


def test_first_image_is_primary_until_another_is_chosen(product):
    first = images.add(product, file=picture())
    second = images.add(product, file=picture())
    third = images.add(product, file=picture(), is_primary=True)
    assert [(row.position, row.is_primary) for row in product.images.all()] == [(0, False), (1, False), (2, True)]
    images.make_primary(second)
    images.remove(second)
    assert list(product.images.values_list("pk", "is_primary")) == [(first.pk, True), (third.pk, False)]
    images.reorder(product, public_ids=[third.public_id])
    assert list(product.images.values_list("pk", flat=True)) == [third.pk, first.pk]


@pytest.mark.django_db(transaction=True)
def test_files_are_deleted_with_a_removed_image(product):
    image = images.add(product, file=picture())
    names = files_of(image.file.name)
    assert all(default_storage.exists(name) for name in names)
    images.remove(image)
    assert not any(default_storage.exists(name) for name in names)


def test_metadata_is_removed_and_the_image_turned_upright(product):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "secret place"
    image = images.add(product, file=picture("JPEG", (600, 400), exif=exif))
    assert (image.width, image.height) == (400, 600)
    with default_storage.open(image.file.name) as file:
        content = file.read()
    assert b"secret place" not in content
    assert dict(Image.open(io.BytesIO(content)).getexif()) == {}


def test_data_appended_to_an_image_is_removed(product):
    content = picture().read() + b"<script>alert(1)</script>"
    image = images.add(product, file=io.BytesIO(content))
    with default_storage.open(image.file.name) as file:
        assert b"script" not in file.read()


def animated():
    frames = [Image.new("RGB", (10, 10), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


BAD = {
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "html": b"<html><script>alert(1)</script></html>",
    "gif": picture("GIF").getvalue(),
    "tiff": picture("TIFF").getvalue(),
    "bmp": picture("BMP").getvalue(),
    "eps": picture("EPS").getvalue(),
    "empty": b"",
    "truncated": picture("PNG", (300, 300)).getvalue()[:200],
    "missing pixels": png_header(3000, 3000),
    "animated": animated(),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_are_not_accepted_images_are_refused(product, name):
    with pytest.raises(InvalidImage):
        images.add(product, file=io.BytesIO(BAD[name]))
    assert ProductImage.objects.count() == 0


@pytest.mark.parametrize("content", [png_header(13_000, 13_000), png_header(9_000, 9_000), png_header(60_000, 60_000)])
def test_decompression_bomb_is_refused_before_it_is_decoded(product, content):
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageTooLarge):
        images.add(product, file=io.BytesIO(content))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
    assert len(content) < 25_000


def test_large_file_is_refused(product):
    with pytest.raises(ImageTooLarge):
        images.add(product, file=io.BytesIO(b"\xff\xd8" + b"\0" * (5 * 1024 * 1024)))


@pytest.mark.django_db(transaction=True)
def test_files_are_deleted_with_their_product_or_category(product):
    food = images.set_category_image(categories.create("Food"), file=picture())
    names = [*files_of(images.add(product, file=picture()).file.name), *files_of(food.image.name)]
    assert all(default_storage.exists(name) for name in names)
    products.delete(product)
    categories.delete(food)
    assert not any(default_storage.exists(name) for name in names)


def files_of(name):
    return [name, *(rendition_name(name, width) for width in (240, 480, 600))]


@pytest.mark.django_db(transaction=True)
def test_new_image_of_a_category_replaces_the_old_file():
    food = images.set_category_image(categories.create("Food"), file=picture("PNG", (1600, 800)))
    old = food.image.name
    with default_storage.open(rendition_name(old, 480)) as file:
        assert Image.open(file).size == (480, 240)
    food = images.set_category_image(food, file=picture("WEBP"))
    assert not any(default_storage.exists(name) for name in files_of(old))
    assert all(default_storage.exists(name) for name in files_of(food.image.name))
    with pytest.raises(InvalidImage):
        images.set_category_image(food, file=io.BytesIO(BAD["svg"]))
    assert categories.get("food").image.name == food.image.name
    images.remove_category_image(food)
    assert (categories.get("food").image.name, categories.get("food").renditions) == ("", "")
    assert not any(default_storage.exists(name) for name in files_of(food.image.name))


def test_failed_write_leaves_no_file(product, monkeypatch):
    def fail(*_args, **_options):
        raise RuntimeError("the database is gone")

    images.add(product, file=picture())
    food = images.set_category_image(categories.create("Food"), file=picture())
    before = {folder: default_storage.listdir(f"shop_catalog/{folder}")[1] for folder in ("products", "categories")}
    monkeypatch.setattr(ProductImage, "save", fail)
    monkeypatch.setattr(type(food), "save", fail)
    with pytest.raises(RuntimeError):
        images.add(product, file=picture())
    with pytest.raises(RuntimeError):
        images.set_category_image(food, file=picture())
    after = {folder: default_storage.listdir(f"shop_catalog/{folder}")[1] for folder in ("products", "categories")}
    assert after == before


def test_job_makes_missing_renditions_of_categories_and_skips_unreadable_files(product):
    name = default_storage.save("shop_catalog/categories/fixture.png", ContentFile(picture("PNG").read()))
    food = categories.create("Food")
    type(food).objects.filter(pk=food.pk).update(image=name)
    ProductImage.objects.create(product=product, file="shop_catalog/products/gone.png", width=1, height=1)
    [node] = categories.current_tree().walk()
    assert node.renditions == dict.fromkeys(WIDTHS, node.image)
    assert images.make_renditions() == 1
    [node] = categories.current_tree().walk()
    assert node.renditions["card"].endswith(".png.480.webp")


def test_job_makes_missing_renditions_of_products(product):
    name = default_storage.save("shop_catalog/products/fixture.png", ContentFile(picture("PNG").read()))
    image = ProductImage.objects.create(product=product, file=name, is_primary=True)
    assert image.rendition_url("card") == image.url
    assert images.make_renditions() == 1
    image.refresh_from_db()
    assert (image.width, image.height, image.renditions) == (600, 400, "240 480 600")
    assert image.rendition_url("card").endswith(".png.480.webp")
    assert images.make_renditions() == 0


def test_job_makes_the_copies_again_after_a_change_of_sizes_and_stops_at_no_image(product, settings, monkeypatch):
    name = default_storage.save("shop_catalog/products/broken.png", ContentFile(b"broken"))
    ProductImage.objects.bulk_create([ProductImage(product=product, file=name, position=9, width=1, height=1)])
    broken = ProductImage.objects.get()
    image = images.add(product, file=picture())
    food = images.set_category_image(categories.create("Food"), file=picture())
    settings.SHOP_CATALOG = settings.SHOP_CATALOG | {"RENDITION_WIDTHS": {"thumb": 100, "card": 480, "large": 500}}
    assert image.rendition_url("large").endswith(".600.webp")  # the old copies are shown until the job has run
    assert images.make_renditions() == 2
    image.refresh_from_db()
    food.refresh_from_db()
    assert (image.renditions, food.renditions) == ("100 480 500", "100 480 500")
    assert image.srcset.split()[1::2] == ["100w,", "480w,", "500w"]
    assert not any(
        default_storage.exists(rendition_name(row, width))
        for row in (image.file.name, food.image.name)
        for width in (240, 600)
    )
    with default_storage.open(rendition_name(image.file.name, 100)) as file:
        assert Image.open(file).size == (100, 67)
    broken.refresh_from_db()
    assert (broken.renditions, broken.renditions_for) == ("", "100 480 500")
    monkeypatch.setattr("shop_catalog.images.renditions.open_checked", None)  # no image is read again
    assert images.make_renditions() == 0


def test_the_job_ends_after_its_time_and_the_command_makes_all(product, capsys):
    images.add(product, file=picture())
    ProductImage.objects.update(renditions_for="")
    assert images.make_renditions(seconds=0) == 0
    call_command("make_renditions")
    assert capsys.readouterr().out == "Images with new smaller copies: 1\n"


def test_a_storage_that_fails_once_is_asked_again(product, monkeypatch):
    first, second = (images.add(product, file=picture()) for _time in range(2))
    ProductImage.objects.update(renditions_for="")
    save, failures = FileSystemStorage.save, [OSError("no space")]

    def save_later(storage, name, *args, **options):
        if failures:
            raise failures.pop()
        return save(storage, name, *args, **options)

    monkeypatch.setattr(FileSystemStorage, "save", save_later)
    assert (images.make_renditions(), images.make_renditions(), images.make_renditions()) == (1, 1, 0)
    assert {first.pk, second.pk} == {*ProductImage.objects.exclude(renditions="").values_list("pk", flat=True)}


def test_an_image_that_is_deleted_while_its_copies_are_made_leaves_none(product, monkeypatch):
    image = images.add(product, file=picture())
    ProductImage.objects.update(renditions_for="")
    write = images.renditions.files.write_renditions

    def write_late(*args, **options):
        written = write(*args, **options)
        ProductImage.objects.all().delete()
        return written

    monkeypatch.setattr(images.renditions.files, "write_renditions", write_late)
    assert images.make_renditions() == 0
    assert not any(default_storage.exists(name) for name in files_of(image.file.name)[1:])


@pytest.mark.parametrize(
    ("size", "made"),
    [((1, 1), "1"), ((300, 10), "240 300"), ((100, 20_000), "2 4 12"), ((20_000, 1), "240 480 1200")],
)
def test_copies_are_never_larger_than_the_image_nor_very_high(product, size, made):
    image = images.add(product, file=picture("PNG", size))
    assert image.renditions == made
    for width in made.split():
        with default_storage.open(rendition_name(image.file.name, int(width))) as file:
            copy = Image.open(file)
            assert (copy.width, copy.height <= 2400) == (int(width), True)


@pytest.mark.parametrize(
    "widths",
    [{}, {"thumb": 240}, {"thumb": 0, "card": 1, "large": 2}, {"thumb": "240", "card": 480, "large": 1200}, 5],
)
def test_wrong_widths_are_found_by_check(settings, widths):
    settings.SHOP_CATALOG = settings.SHOP_CATALOG | {"RENDITION_WIDTHS": widths}
    assert "shop_catalog.E009" in {message.id for message in run_checks(tags=["shop_catalog"])}


def send(api, content, name="apple.jpg", **fields):
    file = SimpleUploadedFile(name, content, "image/jpeg")
    return api.client.post("/api/v1/products/products/apple/images/", {"file": file, **fields})


def test_images_can_be_uploaded_listed_and_deleted_through_the_api(product, staff_api, anyone):
    response = send(staff_api, picture().read(), name="../../evil.php.jpg", alt="Red")
    assert response.status_code == 201
    made = response.json()
    assert (made["alt"], made["width"], made["is_primary"], set(made["renditions"])) == (
        "Red",
        600,
        True,
        set(WIDTHS),
    )
    assert "evil" not in made["url"]
    assert anyone.get("/products/apple/images/").json() == [made]
    assert anyone.delete(f"/products/apple/images/?id={made['id']}").status_code == 401
    assert staff_api.delete(f"/products/apple/images/?id={made['id']}").status_code == 204
    assert staff_api.delete(f"/products/apple/images/?id={made['id']}").status_code == 404
    assert anyone.get("/products/apple/images/").json() == []


def test_invalid_uploads_get_problem_documents(product, staff_api, customer_api):
    response = send(staff_api, BAD["svg"])
    assert (response.status_code, response.json()["code"]) == (422, "invalid_image")
    response = send(staff_api, png_header(13_000, 13_000))
    assert (response.status_code, response.json()["code"]) == (413, "image_too_large")
    assert send(customer_api, picture().read()).status_code == 403
    response = send(staff_api, b"\xff\xd8" + b"\0" * (7 * 1024 * 1024))
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert ProductImage.objects.count() == 0


def send_category(api, content):
    file = SimpleUploadedFile("x.jpg", content, "image/jpeg")
    return api.client.post("/api/v1/products/categories/food/image/", {"file": file})


def test_category_image_can_be_changed_through_the_api(staff_api, customer_api, anyone):
    categories.create("Food")
    body = send_category(staff_api, picture().read())
    assert body.status_code == 200
    image = body.json()["image"]
    assert set(image["renditions"]) == set(WIDTHS)
    for path in ("/categories/food/", "/categories/", "/categories/tree/"):
        found = anyone.get(path).json()
        found = found if "slug" in found else found["items"][0] if "items" in found else found[0]
        assert found["image"] == image, path
    thumb = anyone.client.get(image["renditions"]["thumb"])
    assert thumb.status_code == 200
    assert Image.open(io.BytesIO(b"".join(thumb.streaming_content))).width == 240
    assert [send_category(api, picture().read()).status_code for api in (anyone, customer_api)] == [401, 403]
    assert send_category(staff_api, BAD["svg"]).json()["code"] == "invalid_image"
    assert send_category(staff_api, png_header(13_000, 13_000)).status_code == 413
    assert anyone.get("/categories/food/").json()["image"] == image
    assert staff_api.delete("/categories/food/image/").status_code == 204
    assert staff_api.delete("/categories/food/image/").status_code == 204
    assert anyone.get("/categories/food/").json()["image"] is None
    assert staff_api.delete("/categories/none/image/").status_code == 404


def test_images_are_served_with_cache_headers_for_a_year(product, client):
    url = images.add(product, file=picture()).rendition_url("card")
    response = client.get(url)
    assert (response.status_code, response["Content-Type"]) == (200, "image/webp")
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert Image.open(io.BytesIO(b"".join(response.streaming_content))).size == (480, 320)
    again = client.get(url, headers={"If-Modified-Since": response["Last-Modified"]})
    assert again.status_code == 304
    assert client.post(url).status_code == 405


def test_file_with_a_reusable_name_is_cached_for_an_hour(product, client):
    name = default_storage.save("shop_catalog/products/poster.png", ContentFile(picture("PNG").read()))
    response = client.get(f"/media/{name}")
    assert (response.status_code, response["Cache-Control"]) == (200, "public, max-age=3600")
    assert b"".join(response.streaming_content)


@pytest.mark.parametrize(
    "path",
    [
        "shop_catalog/products/none.png",
        "shop_catalog/products/../../settings.png",
        "shop_catalog/products/%2e%2e/secret.png",
        "shop_catalog/products/page.html",
        "shop_catalog/products/drawing.svg",
        "shop_catalog/products/a%00.png",
        "invoices/1.png",
        "/etc/passwd",
    ],
)
def test_only_catalogue_images_are_served(client, path):
    default_storage.save("invoices/1.png", ContentFile(b"x"))
    default_storage.save("shop_catalog/products/page.html", ContentFile(b"<script>"))
    assert client.get(f"/media/{path}").status_code == 404


def test_image_url_follows_the_settings(settings):
    assert image_url("a/b c.webp", "thumb", made="240 480") == f"{settings.MEDIA_URL}a/b%20c.webp.240.webp"
    assert image_url("a/b c.webp", "large", made="240 480") == f"{settings.MEDIA_URL}a/b%20c.webp.480.webp"
    assert image_srcset("a b.jpg", made="240 480") == "/media/a%20b.jpg.240.webp 240w, /media/a%20b.jpg.480.webp 480w"
    settings.MEDIA_URL = "https://cdn.example.org/"
    assert image_url("a/b c.webp", "thumb", made="240") == "https://cdn.example.org/a/b%20c.webp.240.webp"


def test_signed_urls_of_a_storage_are_not_cached(monkeypatch):
    class Signing(FileSystemStorage):
        def url(self, name):
            signed.append(name)
            return f"{super().url(name)}?signature={len(signed)}"

    signed = []
    monkeypatch.setattr(ProductImage._meta.get_field("file"), "storage", Signing(base_url="/media/"))
    assert [image_url("a.webp") for _time in range(2)] == ["/media/a.webp?signature=1", "/media/a.webp?signature=2"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/products/products/apple/images/",
        "/api/v1/products/categories/fruit/image/",
        "/api/v1/products/products/bulk_create/",
        "/media/shop_catalog/products/a.png",
    ],
)
def test_storage_and_uploads_are_not_used_in_the_transaction_of_a_request(path):
    assert resolve(path).func._non_atomic_requests == set(connections)
