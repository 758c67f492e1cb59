"""A guest buys through the pages in headless Chromium. ``nox -s hosts`` runs this on each site, in a process.

SHOP_TEST_PICTURES names a folder for a picture of each page.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from shop_orders.models import Order

from hosts.story import KIND, available, make_product

SCRIPTS = Path(__file__).parents[2] / "example_project/tests/storefront/browser"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""

settings.MIDDLEWARE.append("hosts.urls.strict")  # before the server of the test loads it


@pytest.mark.django_db(transaction=True)
def test_guest_buys_in_a_browser(live_server):
    mug = make_product()
    pictures = os.environ.get("SHOP_TEST_PICTURES", "")
    folder = Path(pictures, KIND).absolute() if pictures else ""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["node", "guest.mjs", live_server.url, f"/cup/{mug}/", str(folder)],
        cwd=SCRIPTS,
        env={**os.environ, "CHROMIUM": CHROMIUM, "BROWSER_TIMEOUT_SECONDS": "60"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr or done.stdout
    order = Order.objects.get()
    assert (order.status, order.payment_status, available(mug)) == ("cancelled", "paid", 5)
