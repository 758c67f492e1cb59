"""A client that openapi-python-client generates from the demo's document places an order, without handwritten code.

So does the client in TypeScript of docs/howto/orders-typescript.md, whose types are generated.

On request: ``pip install openapi-python-client`` and ``SHOP_TEST_FULL=1``.
"""

import contextlib
import importlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("SHOP_TEST_FULL") != "1", reason="starts the whole demo: set SHOP_TEST_FULL=1"),
]

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "a password of the test"
START_SECONDS = 400
UNSUPPORTED = {"Unsupported content type application/x-ndjson", "Unsupported content type text/csv"}
"""The content types of the bulk upload, which the generator does not support."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The URL of a fresh demo."""
    folder = tmp_path_factory.mktemp("demo")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        str(ROOT / "example_project/run_demo.py"),
        "--port",
        str(port),
        "--data-dir",
        str(folder),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        site = f"http://127.0.0.1:{port}"
        _await(f"{site}/healthz", process)
        yield site
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=60)
        process.kill()


def _await(url, process):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.5)
    process.terminate()
    pytest.fail(f"The demo did not start:\n{process.communicate()[0]}")


@pytest.fixture(scope="module")
def shop(demo, tmp_path_factory):
    """``shop("api.orders.place_order")`` imports a module of the generated client."""
    pytest.importorskip("openapi_python_client", reason="needs the generator: pip install openapi-python-client")
    folder = tmp_path_factory.mktemp("client")
    document = folder / "swagger.json"
    with urllib.request.urlopen(f"{demo}/swagger.json") as response:
        document.write_bytes(response.read())
    generate = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    generate += ["--path", str(document), "--output-path", str(folder / "shop_client")]
    result = subprocess.run(generate, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    warnings = re.findall(r"^(?:Unsupported|Could not|Cannot|Unable).*", result.stdout + result.stderr, re.MULTILINE)
    assert set(warnings) == UNSUPPORTED
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"shop_client.{name}")
    sys.path.remove(str(folder))


@pytest.fixture
def connect(demo, shop):
    """A generated client, with or without an access token, that is closed afterwards."""
    with contextlib.ExitStack() as stack:

        def connect(token=""):
            kind, options = ("AuthenticatedClient", {"token": token}) if token else ("Client", {})
            made = getattr(shop("client"), kind)(base_url=demo, raise_on_unexpected_status=True, **options)
            return stack.enter_context(made)

        yield connect


def inbox_code(demo, email):
    """The code in the demo's mail to a new customer."""
    for _attempt in range(200):
        request = urllib.request.Request(f"{demo}/demo/inbox/?to={email}", headers={"Accept": "application/json"})
        with urllib.request.urlopen(request) as response:
            found = re.search(r"\\n([A-Z0-9]+(?:-[A-Z0-9]+)+)\\n", response.read().decode())
        if found:
            return found[1]
        time.sleep(0.2)
    return pytest.fail("No e-mail with a code arrived.")


def test_a_guest_browses_and_fills_a_cart(shop, connect):
    client = connect()
    tree = shop("api.catalog.get_category_tree").sync(client=client)
    assert tree
    page = shop("api.catalog.list_products").sync(client=client, in_stock=True, limit=50)
    row = next(row for row in page.items if row.kind == "simple")
    product = shop("api.catalog.get_product").sync(row.slug, client=client)
    assert (product.sku, product.available > 0) == (row.sku, True)
    add = shop("api.orders.add_cart_item")
    item = shop("models.add_item_in").AddItemIn(product=row.sku, quantity=1)
    response = add.sync_detailed(client=client, body=item)
    token = response.headers["X-Cart-Token"]
    cart = shop("api.orders.get_cart").sync(client=client, x_cart_token=token)
    assert [(line.sku, line.quantity) for line in cart.lines] == [(row.sku, 1)]
    none = shop("models.add_item_in").AddItemIn(product="no such product", quantity=1)
    problem = add.sync(client=client, body=none, x_cart_token=token)
    assert (problem.status, problem.code) == (422, "unknown_product")


def test_a_customer_registers_logs_in_orders_and_cancels(demo, shop, connect):
    models, client = shop("models"), connect()
    email = f"client-{uuid.uuid4().hex[:8]}@example.org"
    body = models.RegisterIn(email=email, password=PASSWORD, first_name="Test", last_name="Customer")
    step = shop("api.accounts.register").sync(client=client, body=body).next_
    verify(demo, step, inbox_code(demo, email))
    log_in = shop("api.accounts.login")
    tokens = log_in.sync(client=client, body=models.LoginIn(email=email, password=PASSWORD))
    assert tokens.customer.email == email
    mine = connect(tokens.access_token)

    page = shop("api.catalog.list_products").sync(client=mine, in_stock=True, limit=50)
    row = next(row for row in page.items if row.kind == "simple")
    item = models.AddItemIn(product=row.sku, quantity=2)
    cart = shop("api.orders.add_cart_item").sync(client=mine, body=item)
    address = models.AddressIn(name="Test Customer", line1="1 Test Street", city="Nairobi", country="KE")
    order = shop("api.orders.place_order").sync(
        client=mine,
        body=models.PlaceOrderIn(
            shipping_address=address, delivery="home", payment_provider="on_delivery", note="By a client"
        ),
        idempotency_key=uuid.uuid4().hex,
    )
    assert (order.status, [line.quantity for line in order.lines]) == ("confirmed", [2])
    assert order.subtotal == cart.subtotal

    track = shop("api.orders.track_order").sync(order.number, client=mine)
    assert track.status == "confirmed"
    listed = shop("api.orders.list_orders").sync(client=mine)
    assert [summary.number for summary in listed.items] == [order.number]
    cancelled = shop("api.orders.cancel_order").sync(order.number, client=mine, body=models.CancelIn())
    assert cancelled.status == "cancelled"
    assert shop("api.accounts.logout").sync_detailed(client=mine).status_code == 204
    assert shop("api.accounts.get_profile").sync(client=mine).status == 401


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs node and npm")
def test_the_typescript_client_of_the_documentation_orders_and_tracks(demo):
    folder = Path(__file__).parent / "typescript"
    subprocess.run([sys.executable, str(folder / "compile.py")], check=True)
    done = subprocess.run(["node", "run.mjs", demo], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"[\d.]+ KES \S+ status_changed unknown_product\n", done.stdout), done.stdout


def verify(demo, step, code):
    """The step after registration. It belongs to allauth, so it is not in our document."""
    request = urllib.request.Request(
        f"{demo}{urllib.request.urlparse(step.url).path}",
        data=f'{{"key": "{code}"}}'.encode(),
        headers={"Content-Type": "application/json", "X-Session-Token": step.session_token},
    )
    urllib.request.urlopen(request).close()
