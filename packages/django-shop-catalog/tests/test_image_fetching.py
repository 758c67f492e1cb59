"""Images that an import names by address: asked for, fetched by a job, tried again, reported."""

import gzip
import io
import socket
import threading
import time
import uuid
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil

import pytest
from django.db import connection
from django.utils import timezone
from PIL import Image
from shop_catalog import images, products
from shop_catalog.exceptions import ImageNotFetched, InvalidProduct
from shop_catalog.images import fetching
from shop_catalog.images.fetching import WAITS, WantedImage
from shop_catalog.jobs import JOBS
from shop_catalog.models import ImageFetch, ProductImage

pytestmark = pytest.mark.django_db

PUBLIC = "93.184.216.34"


def picture(colour="teal"):
    buffer = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(buffer, "PNG")
    return buffer.getvalue()


FILES = {}
"""What the fetcher of the tests returns or raises, by address."""


def from_files(url):
    found = FILES.get(url)
    if isinstance(found, Exception):
        raise found
    if found is None:
        raise ImageNotFetched("Not there.", is_final=True)
    return found


@pytest.fixture(autouse=True)
def _fetcher(settings):
    FILES.clear()
    settings.SHOP_CATALOG = settings.SHOP_CATALOG | {"IMAGE_FETCHER": f"{__name__}.from_files"}


@pytest.fixture
def product():
    return products.create("A", name="Apple", price=Decimal(1))


def ask(product, *names, **values):
    addresses = [f"https://cdn.example/{name}" for name in names]
    wanted = [WantedImage(product.pk, url, place, "An apple") for place, url in enumerate(addresses, 1)]
    images.request_fetches(wanted, **values)
    return addresses


def states():
    rows = ImageFetch.objects.order_by("position", "pk")
    return [(row.url.rpartition("/")[2], row.tries, row.next_try_at is not None, row.last_error) for row in rows]


def pass_time(wait):
    rows = ImageFetch.objects.filter(next_try_at__isnull=False)
    for row in rows:
        rows.filter(pk=row.pk).update(next_try_at=row.next_try_at - wait)


def test_images_are_fetched_in_the_order_of_the_import_and_counted(product):
    import_id = uuid.uuid4()
    first, second, third = ask(product, "1.png", "2.png", "3.svg", import_id=import_id)
    FILES.update({first: picture(), second: picture("red"), third: b"<svg/>"})
    assert images.count_fetches(import_id) == (3, 0, 0)
    assert images.fetch_images() == 2
    made = list(product.images.all())
    assert [(image.position, image.is_primary, image.alt) for image in made] == [
        (1, True, "An apple"),
        (2, False, "An apple"),
    ]
    assert images.count_fetches(import_id) == (0, 2, 1)
    assert images.fetch_images() == 0


def test_no_image_stops_the_job(product):
    names = ask(product, "a.png", "b.png", "c.png", "d.png", "e.png")
    broken = OSError("no route"), ValueError("x" * 1000 + "\0"), MemoryError(), b"\x89PNG\r\n\x1a\n"
    FILES.update(zip(names, (*broken, picture()), strict=True))
    assert images.fetch_images() == 1
    *failed, (_name, tries, is_waiting, reason) = states()
    assert [(tries, is_waiting) for _name, tries, is_waiting, _reason in failed] == [(1, True)] * 3 + [(1, False)]
    assert all(reason for *_state, reason in failed)
    assert (tries, is_waiting, reason) == (1, False, "")


def test_tries_end_after_a_week_and_begin_again_by_hand(product):
    [url] = ask(product, "a.png")
    FILES[url] = OSError("no route")
    for wait in (*WAITS, timedelta(0)):
        assert images.fetch_images() == 0
        assert images.fetch_images() == 0
        pass_time(wait)
    assert states() == [("a.png", len(WAITS) + 1, False, "OSError: no route")]
    FILES[url] = picture()
    assert images.fetch_images() == 0
    assert images.try_again(ImageFetch.objects.all()) == 1
    assert images.fetch_images() == 1


def test_the_first_image_is_primary_even_if_it_comes_later(product):
    first, second = ask(product, "1.png", "2.png")
    FILES.update({first: OSError(), second: picture()})
    images.fetch_images()
    FILES[first] = picture()
    pass_time(WAITS[0])
    images.fetch_images()
    assert [(image.position, image.is_primary) for image in product.images.all()] == [(1, True), (2, False)]


def test_an_image_that_staff_made_primary_stays_primary(product):
    own = images.add(product, file=io.BytesIO(picture()))
    [url] = ask(product, "1.png")
    FILES[url] = picture()
    images.fetch_images()
    assert product.images.get(is_primary=True) == own


def test_the_same_import_again_fetches_nothing_again_even_if_an_image_was_deleted(product):
    names = ask(product, "1.png", "2.png", "2.png")
    FILES.update(dict.fromkeys(names, picture()))
    assert images.fetch_images() == 2
    images.remove(product.images.last())
    ask(product, "1.png", "2.png")
    assert (images.fetch_images(), product.images.count()) == (0, 1)
    assert images.try_again(ImageFetch.objects.all()) == 1
    assert (images.fetch_images(), product.images.count()) == (1, 2)


def test_an_import_that_asks_again_tries_failed_images_again(product):
    [url] = ask(product, "1.png")
    images.fetch_images()
    assert states() == [("1.png", 1, False, "Not there.")]
    FILES[url] = picture()
    ask(product, "1.png", import_id=uuid.uuid4())
    assert images.fetch_images() == 1


def test_a_second_process_that_took_over_adds_no_second_image(product):
    [url] = ask(product, "1.png")
    FILES[url] = picture()
    row = fetching._claim()
    pass_time(fetching.LEASE)
    assert images.fetch_images() == 1
    fetching._fetch(row, from_files)
    assert ProductImage.objects.count() == 1


def test_a_picture_that_ends_the_process_each_time_is_given_up(product):
    ask(product, "1.png")
    for _time in range(len(WAITS) + 1):
        assert fetching._claim() is not None
        pass_time(fetching.LEASE)
    assert images.fetch_images() == 0
    assert states() == [("1.png", 8, False, "The process ended while this picture was fetched.")]


def test_a_host_that_cannot_be_reached_is_tried_once_in_a_run_and_delays_no_other(product, monkeypatch):
    asked = []

    def away(url):
        asked.append(url)
        raise ImageNotFetched("Away.", is_unreachable=True)

    monkeypatch.setattr(f"{__name__}.from_files", away)
    ask(product, *(f"{number}.png" for number in range(20)))
    other = WantedImage(product.pk, "https://cdn.example.org/1.png", 99)
    images.request_fetches([other])
    for wait in WAITS:
        assert images.fetch_images() == 0
        assert {tries for _name, tries, *_rest in states()} == {len(asked) // 2}
        pass_time(wait)
    assert images.fetch_images() == 0
    assert len(asked) == 2 * (len(WAITS) + 1)
    assert {state[1:] for state in states()} == {(len(WAITS) + 1, False, "Away.")}
    assert images.try_again(ImageFetch.objects.all()) == 21


def test_images_of_a_deleted_product_are_forgotten(product):
    ask(product, "1.png")
    products.delete(product)
    assert (images.fetch_images(), ImageFetch.objects.count()) == (0, 0)


def test_the_job_is_run_with_the_others():
    assert fetching.fetch_images in {job.function for job in JOBS}


def test_requests_take_one_insert_for_as_many_as_the_database_accepts(product, django_assert_num_queries):
    fields = [field for field in ImageFetch._meta.concrete_fields if not field.primary_key]
    at_once = min(500, connection.ops.bulk_batch_size(fields, range(300)))
    with django_assert_num_queries(3 + ceil(300 / at_once)):
        ask(product, *(f"{number}.png" for number in range(300)))


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (" https://cdn.example/a b.png ", "https://cdn.example/a%20b.png"),
        ("HTTPS://CDN.Example:443/ä.png?v=1#top", "https://cdn.example/%C3%A4.png?v=1"),
        ("http://bücher.example/a.png", "http://xn--bcher-kva.example/a.png"),
    ],
)
def test_an_address_is_stored_as_it_is_requested(typed, stored):
    assert images.check_address(typed) == stored


@pytest.mark.parametrize(
    "address",
    [
        *("", "a.png", "//cdn.example/a.png", "ftp://cdn.example/a", "file:///etc/passwd", "data:image/png;base64,AA"),
        *("gopher://cdn.example/", "javascript:alert(1)", "https://u:p@cdn.example/", "https://u@cdn.example/"),
        *("https://cdn.example:22/", "http://cdn.example:443/", "https://cdn.example:0/", "https://cdn.example:x/"),
        *("https:///a", "https://[::1", "https://cdn.example/a\nb", "https://cdn.example/\0", f"https://{'ä' * 70}/"),
        "https://cdn.example/" + "a" * 2000,
    ],
)
def test_other_addresses_are_refused(product, address):
    with pytest.raises(InvalidProduct) as caught:
        images.request_fetches([WantedImage(product.pk, address)])
    assert (caught.value.field, ImageFetch.objects.count()) == ("images", 0)


class Shelf(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.headers["Host"], self.path, self.headers["Accept-Encoding"]))
        status, headers, body = self.server.pages.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in {
            "Content-Length": "" if callable(body) else str(len(body)),
            "Connection": "close",
            **headers,
        }.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        try:
            if callable(body):
                body(self.wfile)
            else:
                self.wfile.write(body)
        except OSError:
            pass

    def log_message(self, *_args):
        pass


@pytest.fixture
def web(monkeypatch):
    """A local server that stands for every public host. ``hosts`` has the addresses that a name resolves to."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shelf)
    server.pages, server.seen, server.hosts, server.dialled = {}, [], {}, []
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    resolve, dial = socket.getaddrinfo, socket.create_connection

    def fake_resolve(host, port, *args, **options):
        if host == "localhost.":
            host = "localhost"
        if host[0].isdigit() or ":" in host or host == "localhost":
            return resolve(host, port, *args, **options)
        addresses = server.hosts.get(host, [PUBLIC])
        return [(2, 1, 6, "", (address, port)) for address in addresses]

    def fake_dial(address, timeout):
        server.dialled.append(address)
        return dial(("127.0.0.1", server.server_port), timeout)

    monkeypatch.setattr(socket, "getaddrinfo", fake_resolve)
    monkeypatch.setattr(socket, "create_connection", fake_dial)
    yield server
    server.shutdown()
    server.server_close()


def test_a_file_is_fetched_from_the_address_that_was_checked(web):
    web.pages["/a.png?v=1"] = (200, {}, picture())
    assert images.fetch("http://cdn.example/a.png?v=1") == picture()
    assert web.seen == [("cdn.example", "/a.png?v=1", "identity")]
    assert web.dialled == [(PUBLIC, 80)]


def test_three_redirects_are_followed_and_each_is_checked(web):
    for number in range(4):
        web.pages[f"/{number}"] = (302, {"Location": f"http://cdn{number}.example/{number + 1}"}, b"")
    web.pages["/4"] = (200, {}, b"x")
    with pytest.raises(ImageNotFetched, match="more than 3 times"):
        images.fetch("http://cdn.example/0")
    assert images.fetch("http://cdn.example/1") == b"x"
    for target in (
        "http://127.0.0.1/",
        "//localhost./x",
        "http://[::1]/",
        "file:///etc/passwd",
        "http://cdn.example:22/",
    ):
        web.pages["/away"] = (301, {"Location": target}, b"")
        before = len(web.dialled)
        with pytest.raises(ImageNotFetched) as caught:
            images.fetch("http://cdn.example/away")
        assert (caught.value.is_final, len(web.dialled)) == (True, before + 1)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "192.168.1.1",
            "0.0.0.0",
            "100.64.0.1",
            "localhost",
            "localhost.",
        ),
        *("2130706433", "0177.0.0.1", "0x7f.1", "127.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:a00:1]"),
        *(
            "[64:ff9b::7f00:1]",
            "[64:ff9b:1::a00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fc00::1]",
            "[ff02::1]",
            "[fec0::1]",
        ),
        "[2001:0:7f00:1::ffff:ffff]",
    ],
)
def test_addresses_of_private_networks_are_refused_before_a_connection(web, host):
    with pytest.raises(ImageNotFetched) as caught:
        images.fetch(f"http://{host}/a.png")
    assert (caught.value.is_final, web.dialled) == (True, [])


def test_a_name_with_a_private_address_among_others_is_refused(web):
    web.hosts["mixed.example"] = [PUBLIC, "10.0.0.1"]
    with pytest.raises(ImageNotFetched, match="not on the public Internet"):
        images.fetch("http://mixed.example/a.png")
    assert web.dialled == []


def _without_end(file):
    while True:
        file.write(b"x" * 65_536)


def _slowly(file):
    while True:
        file.write(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("page", "is_final", "reason"),
    [
        ((404, {}, b""), True, "status 404"),
        ((429, {}, b""), False, "status 429"),
        ((503, {}, b""), False, "status 503"),
        ((302, {}, b""), True, "status 302"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(b"\0" * 10**6)), True, "compressed"),
        ((200, {"Content-Length": None}, _without_end), True, "larger than 10 MB"),
        ((200, {"Content-Length": "1000"}, b"short"), False, "not respond properly"),
        ((200, {"Content-Length": None}, _slowly), False, "did not send|not respond"),
    ],
)
def test_what_is_not_a_whole_file_is_refused_with_a_reason(web, monkeypatch, page, is_final, reason):
    monkeypatch.setattr("shop_catalog.images.fetcher.WALL_SECONDS", 0.4 if page[2] is _slowly else 5.0)
    web.pages["/a.png"] = page
    with pytest.raises(ImageNotFetched, match=reason) as caught:
        images.fetch("http://cdn.example/a.png")
    assert caught.value.is_final is is_final


def test_resolving_a_name_counts_into_the_limit_of_time(monkeypatch):
    stop = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: stop.wait(5))
    monkeypatch.setattr("shop_catalog.images.fetcher.WALL_SECONDS", 0.1)
    began = time.monotonic()
    with pytest.raises(ImageNotFetched, match="cannot be reached") as caught:
        images.fetch("http://cdn.example/a.png")
    stop.set()
    assert caught.value.is_unreachable
    assert time.monotonic() - began < 2


def test_staff_see_why_an_image_failed_and_can_try_again(product, admin_client):
    ask(product, "1.png")
    images.fetch_images()
    page = admin_client.get("/admin/shop_catalog/imagefetch/?state=failed")
    assert "Not there." in page.text
    row = ImageFetch.objects.get()
    data = {"action": "fetch_again", "_selected_action": [row.pk]}
    done = admin_client.post("/admin/shop_catalog/imagefetch/", data, follow=True)
    row.refresh_from_db()
    assert ("1 image will be fetched." in done.text, row.tries, row.next_try_at <= timezone.now()) == (True, 0, True)
    assert admin_client.get(f"/admin/shop_catalog/imagefetch/{row.pk}/change/").status_code == 200
    assert "0 images" not in admin_client.get("/admin/shop_catalog/imagefetch/?state=waiting").text
