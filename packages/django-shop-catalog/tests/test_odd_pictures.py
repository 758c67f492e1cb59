"""Pictures as people have them: phones, scanners, print shops, drawing programs, damaged and hostile files."""

import io
import struct
import sys
import zlib
from contextlib import suppress

import pytest
from PIL import Image, ImageCms, features
from shop_catalog.exceptions import ImageTooLarge, InvalidImage
from shop_catalog.images import open_checked, reading


def saved(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(content):
    return open_checked(io.BytesIO(content))


def plain(colour="teal", size=(60, 40), mode="RGB"):
    return Image.new(mode, size, colour)


def is_near(found, wanted, by=6):
    return all(abs(one - other) <= by for one, other in zip(found, wanted, strict=True))


def test_first_picture_of_a_phone_with_two_lenses_is_taken():
    content = saved(plain("red"), "MPO", save_all=True, append_images=[plain("blue")])
    picture, kind = opened(content)
    assert (kind, picture.size, is_near(picture.getpixel((5, 5)), (254, 0, 0))) == ("JPEG", (60, 40), True)


def test_a_damaged_list_of_the_pictures_of_a_phone_is_ignored():
    content = saved(plain("red"), "MPO", save_all=True, append_images=[plain("blue")])
    where = content.index(b"MPF\0")
    assert opened(content[: where + 8] + b"\xff" * 30 + content[where + 38 :])[0].size == (60, 40)


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_grey_of_16_bits_is_scaled(mode):
    grey = Image.new("I;16", (2, 1))
    grey.putpixel((0, 0), 0x8000)
    grey.putpixel((1, 0), 0x1000)
    picture, _kind = opened(saved(grey, "PNG"))
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(128, 128, 128), (16, 16, 16)]


def linear_profile():
    """A profile whose numbers mean light: 128 is much brighter than in sRGB."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for place in range(int.from_bytes(data[128:132], "big")):
        tag = data[132 + 12 * place : 144 + 12 * place]
        offset = int.from_bytes(tag[4:8], "big")
        if tag[1:4] == b"TRC":
            data[offset + 8 : offset + 12] = struct.pack(">HH", 0, 0x10000 >> 16 << 0)
            data[offset + 12 : offset + 16] = struct.pack(">i", 0x10000)
    return bytes(data)


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGBA"), ("PNG", "P")]
)
def test_colours_of_a_profile_are_converted_to_srgb(kind, mode):
    picture = plain((128, 128, 128), mode="RGBA" if mode == "RGBA" else "RGB")
    picture = picture.convert("P", palette=Image.Palette.ADAPTIVE) if mode == "P" else picture
    found, _kind = opened(
        saved(picture, kind, icc_profile=linear_profile(), **({"lossless": True} if kind == "WEBP" else {}))
    )
    assert is_near(found.getpixel((5, 5))[:3], (188, 188, 188))
    assert "icc_profile" not in found.info


def test_transparency_survives_the_conversion_of_colours():
    found, _kind = opened(saved(plain((128, 128, 128, 77), mode="RGBA"), "PNG", icc_profile=linear_profile()))
    assert found.getpixel((5, 5))[3] == 77


@pytest.mark.parametrize("profile", [b"junk", b"\0" * 200, linear_profile()[:150]])
def test_a_damaged_profile_is_ignored(profile):
    found, _kind = opened(saved(plain(), "JPEG", icc_profile=profile))
    assert is_near(found.getpixel((5, 5)), (0, 128, 128))


JUNK_EXIF = {
    "empty": b"Exif\0\0",
    "cut": b"Exif\0\0II*\0",
    "endless": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" * 3,
    "loop": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\x08",
    "orientation as text": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x02six\0\0\0\0\0",
    "orientation as list": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x02\0\x06\0\x06\0\0\0\0",
    "fraction of zero": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x05\0\0\0\x01\0\0\0\x1a\0\0\0\0" + b"\0" * 8,
    "noise": b"Exif\0\0MM" + bytes(range(256)) * 20,
}


@pytest.mark.parametrize("name", JUNK_EXIF)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_junk_exif_is_ignored(kind, name):
    found, _kind = opened(saved(plain(), kind, exif=JUNK_EXIF[name]))
    assert sorted(found.size) == [40, 60]


def test_every_damaged_file_is_refused_or_read_and_nothing_else():
    """Each byte of a small file is damaged, and the file is cut at each place."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "WEBP", "AVIF" if features.check("avif") else "JPEG"):
        content = saved(plain(size=(8, 8)), kind, exif=exif, icc_profile=linear_profile())
        for place in range(0, len(content), 31):
            for damaged in (content[:place], content[:place] + b"\xff\xff" + content[place + 2 :]):
                with suppress(InvalidImage):
                    opened(damaged)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(orientation):
    upright = Image.new("RGB", (40, 20), "white")
    upright.paste("red", (0, 0, 20, 10))
    back = {5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE}
    back |= {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM}
    back[8] = Image.Transpose.ROTATE_270
    turned = upright.transpose(back[orientation]) if orientation in back else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    found, _kind = opened(saved(turned, "PNG", exif=exif))
    assert (found.size, found.getpixel((2, 2)), found.getpixel((38, 18))) == ((40, 20), (255, 0, 0), (255, 255, 255))


def test_print_colours_become_rgb():
    found, kind = opened(saved(plain((0, 255, 255, 0), mode="CMYK"), "JPEG"))
    assert (kind, found.mode, is_near(found.getpixel((5, 5)), (254, 0, 0), by=12)) == ("JPEG", "RGB", True)


def test_a_palette_keeps_its_transparent_colour():
    picture = plain("red").convert("P", palette=Image.Palette.ADAPTIVE)
    found, kind = opened(saved(picture, "PNG", transparency=picture.getpixel((5, 5))))
    assert (kind, found.mode, found.getpixel((5, 5))[3]) == ("PNG", "RGBA", 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (20_000, 1), (1, 20_000)])
def test_every_mode_and_shape_is_read(mode, size):
    found, _kind = opened(saved(Image.new(mode, size), "PNG"))
    assert found.size == size


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_stored_as_webp():
    found, kind = opened(saved(plain(), "AVIF"))
    assert (kind, is_near(found.getpixel((5, 5)), (0, 128, 128))) == ("WEBP", True)
    with pytest.raises(InvalidImage, match="animated"):
        opened(saved(plain(), "AVIF", save_all=True, append_images=[plain("red")]))


def test_heic_of_a_phone_is_stored_as_webp():
    heif = pytest.importorskip("pillow_heif")
    reading._formats.cache_clear()
    exif = Image.Exif()
    exif[0x0112] = 6
    heif.register_heif_opener()
    found, kind = opened(saved(plain("red"), "HEIF", exif=exif.tobytes()))
    assert (kind, found.size, is_near(found.getpixel((5, 5)), (254, 0, 0))) == ("WEBP", (40, 60), True)
    burst = saved(plain("red"), "HEIF", save_all=True, append_images=[plain("blue")])
    assert is_near(opened(burst)[0].getpixel((5, 5)), (254, 0, 0))


def test_without_the_extra_heic_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    reading._formats.cache_clear()
    with pytest.raises(InvalidImage, match=r"cannot read HEIC pictures\. Save it as JPEG"):
        opened(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    monkeypatch.undo()
    reading._formats.cache_clear()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<?xml version='1.0'?>\n<!-- drawn -->\n<SVG xmlns='http://www.w3.org/2000/svg'/>", "SVG drawings"),
        (saved(plain(size=(300, 300)), "JPEG")[:-200], "damaged or incomplete"),
        (saved(plain(size=(300, 300)), "PNG")[:-200], "damaged or incomplete"),
        (saved(plain(), "GIF"), "not a readable image. Accepted are JPEG, PNG, WebP"),
        (saved(plain(), "WEBP", save_all=True, append_images=[plain("red")]), "animated"),
        (saved(plain(), "PNG", save_all=True, append_images=[plain("red")]), "animated"),
    ],
)
def test_refusals_say_why_and_what_to_do(content, reason):
    with pytest.raises(InvalidImage, match=reason):
        opened(content)


def test_the_name_of_a_file_does_not_matter():
    file = io.BytesIO(saved(plain(), "PNG"))
    file.name = "photo.jpg"
    assert open_checked(file)[1] == "PNG"


@pytest.mark.parametrize("size", [(30_001, 1), (1, 60_000), (13_000, 13_000)])
def test_sizes_are_limited_before_anything_is_decoded(size):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    with pytest.raises(ImageTooLarge):
        opened(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b""))
