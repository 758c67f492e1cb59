"""Sites are typed: the shop of ``typed/bakery`` works, and ``nox -s types`` checks it with and without a plugin.

Without the plugin of django-stubs, a type checker knows only what a model declares. So each model declares what Django
adds to it.
"""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Manager

MODELS = [
    model
    for label in ("shop_catalog", "shop_orders", "shop_notify")
    for model in apps.get_app_config(label).get_models()
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_model_declares_what_django_adds_to_it(model):
    fields = model._meta.fields
    added = {field.attname for field in fields if field.attname != field.name}
    added |= {f"get_{field.name}_display" for field in fields if field.choices}
    added |= {relation.get_accessor_name() for relation in model._meta.related_objects} - {None}
    added |= {"objects"} if type(model.objects) is not Manager else set()
    theirs = {name for name in added if name.startswith("shop_customer")}  # on the site's user
    assert added - theirs - set(inspect.get_annotations(model)) == set()


SHOPPING = """
from django.core.management import call_command
from django.test import Client

call_command("check", fail_level="WARNING")
call_command("migrate", run_syncdb=True, verbosity=0)
from bakery.models import Loaf
from bakery.printer import KitchenPrinter
from shop_orders.models import Order

Loaf.objects.create(code="rye", title="Rye", price="120.00", baked=4)
guest = Client()
assert guest.post("/add/", {"loaf": "wheat"}).content.startswith(b"unknown_product")
guest.post("/add/", {"loaf": "rye", "quantity": "4"})
assert guest.get("/cart/").json()["total"] == "490.00", guest.get("/cart/").content
assert guest.post("/order/", {"name": "GIFT-1", "email": "guest@example.org"}).status_code == 302
order = Order.objects.get()
assert (order.get_payment_status_display(), Loaf.objects.get().baked) == ("paid", 0)
shown = guest.get("/to-bake/").json()
assert (shown["orders"], shown["loaves"], float(shown["owed"])) == ([order.number], {"Rye": 4}, 0), shown
assert KitchenPrinter.printed == [f"Bake for {order.number}: 4 Rye"]
print("sold")
"""


def test_typed_shop_sells():
    folder = Path(__file__).parent / "typed"
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "bakery.settings", "PYTHONPATH": path}
    code = "import django; django.setup()\n" + SHOPPING
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "sold"
