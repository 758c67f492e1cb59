"""Pictures: what is let in, what becomes of it."""

import io
import struct
import zlib
from decimal import Decimal

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from shop_catalog import images, products
from shop_catalog.exceptions import ImageTooLarge, InvalidImage
from shop_catalog.models import ProductImage
from shop_catalog.models.image import RENDITION_WIDTHS, rendition_name

pytestmark = pytest.mark.django_db


def picture(kind="JPEG", size=(600, 400), **options):
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, kind, **options)
    buffer.seek(0)
    return buffer


@pytest.fixture
def product():
    return products.create("A", name="Apple", price=Decimal(1))


def png_header(width, height):
    """A PNG that claims a size and has next to no pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 20_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
def test_picture_is_kept_with_its_size_and_renditions(product, kind, suffix):
    image = images.add(product, file=picture(kind, (1600, 800)), alt="An apple")
    image.refresh_from_db()
    assert (image.width, image.height, image.alt, image.is_primary, image.position) == (1600, 800, "An apple", True, 0)
    assert image.file.name.endswith(f".{suffix}")
    for rendition, width in RENDITION_WIDTHS.items():
        with default_storage.open(rendition_name(image.file.name, rendition)) as file:
            assert Image.open(file).size == (width, width // 2)


def test_first_picture_is_primary_until_another_is(product):
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
def test_removed_picture_takes_its_files_along(product):
    image = images.add(product, file=picture())
    names = [image.file.name, *(rendition_name(image.file.name, name) for name in RENDITION_WIDTHS)]
    assert all(default_storage.exists(name) for name in names)
    images.remove(image)
    assert not any(default_storage.exists(name) for name in names)


def test_metadata_is_left_behind_and_the_picture_turned(product):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "secret place"
    image = images.add(product, file=picture("JPEG", (600, 400), exif=exif))
    assert (image.width, image.height) == (400, 600)
    with default_storage.open(image.file.name) as file:
        content = file.read()
    assert b"secret place" not in content
    assert dict(Image.open(io.BytesIO(content)).getexif()) == {}


def test_what_is_appended_to_a_picture_is_gone(product):
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
def test_other_files_are_refused(product, name):
    with pytest.raises(InvalidImage):
        images.add(product, file=io.BytesIO(BAD[name]))
    assert ProductImage.objects.count() == 0


@pytest.mark.parametrize("content", [png_header(13_000, 13_000), png_header(9_000, 9_000), png_header(60_000, 60_000)])
def test_bomb_is_refused_before_it_is_decoded(product, content):
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageTooLarge):
        images.add(product, file=io.BytesIO(content))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
    assert len(content) < 25_000


def test_large_file_is_refused(product):
    with pytest.raises(ImageTooLarge):
        images.add(product, file=io.BytesIO(b"\xff\xd8" + b"\0" * (5 * 1024 * 1024)))


def test_renditions_are_made_for_pictures_that_came_without(product):
    name = default_storage.save("shop_catalog/products/fixture.png", ContentFile(picture("PNG").read()))
    image = ProductImage.objects.create(product=product, file=name, is_primary=True)
    assert image.rendition_url("card") == image.url
    assert images.make_renditions() == 1
    image.refresh_from_db()
    assert (image.width, image.height, image.has_renditions) == (600, 400, True)
    assert image.rendition_url("card").endswith(".card.png")
    assert images.make_renditions() == 0


def send(api, content, name="apple.jpg", **fields):
    file = SimpleUploadedFile(name, content, "image/jpeg")
    return api.client.post("/api/v1/products/products/apple/images/", {"file": file, **fields})


def test_upload_list_and_delete_by_the_api(product, staff_api, anyone):
    answer = send(staff_api, picture().read(), name="../../evil.php.jpg", alt="Red")
    assert answer.status_code == 201
    made = answer.json()
    assert (made["alt"], made["width"], made["is_primary"], set(made["renditions"])) == (
        "Red",
        600,
        True,
        set(RENDITION_WIDTHS),
    )
    assert "evil" not in made["url"]
    assert anyone.get("/products/apple/images/").json() == [made]
    assert anyone.delete(f"/products/apple/images/?id={made['id']}").status_code == 401
    assert staff_api.delete(f"/products/apple/images/?id={made['id']}").status_code == 204
    assert staff_api.delete(f"/products/apple/images/?id={made['id']}").status_code == 404
    assert anyone.get("/products/apple/images/").json() == []


def test_bad_uploads_get_problem_documents(product, staff_api, customer_api):
    answer = send(staff_api, BAD["svg"])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_image")
    answer = send(staff_api, png_header(13_000, 13_000))
    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")
    assert send(customer_api, picture().read()).status_code == 403
    assert ProductImage.objects.count() == 0
