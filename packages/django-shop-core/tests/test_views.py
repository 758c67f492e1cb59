"""Views that ATOMIC_REQUESTS does not wrap, on every database and every NinjaAPI."""

import pytest
from django.db import connections
from django.test import Client
from django.urls import include, path, resolve
from ninja import NinjaAPI, Router
from ninja.openapi.docs import Swagger
from shop_core.api.views import make_non_atomic
from shop_core.db.transactions import non_atomic

router = Router()
make_non_atomic(router, "/pay/", "/later/")


@router.get("/pay/")
def read(request):
    return {"atomic": connections["default"].in_atomic_block}


@router.post("/pay/")
def pay(request):
    return {"atomic": connections["default"].in_atomic_block}


@router.get("/later/")
async def later(request):
    """Django refuses an async view with ATOMIC_REQUESTS, unless it is marked."""
    return {"atomic": False}


@router.get("/other/")
def other(request):
    return {"atomic": connections["default"].in_atomic_block}


@non_atomic
def plain(request):
    """A view of Django."""


class OwnAPI(NinjaAPI):
    """A site's subclass."""


first, second = NinjaAPI(urls_namespace="first", docs=Swagger()), OwnAPI(urls_namespace="second")
first.add_router("/a/", router)
first.add_router("/b/", router, url_name_prefix="b")
second.add_router("", router)
inner = [path("deep/", include([path("v1/", second.urls)]))]
urlpatterns = [path("first/", first.urls), *inner, path("plain/", plain)]

pytestmark = pytest.mark.urls(__name__)


@pytest.mark.parametrize("url", ["/first/a/pay/", "/first/b/pay/", "/deep/v1/pay/", "/first/a/later/", "/plain/"])
def test_view_of_the_url_is_marked_for_every_database(url):
    assert resolve(url).func._non_atomic_requests == set(connections)


@pytest.mark.parametrize("url", ["/first/a/other/", "/deep/v1/other/"])
def test_other_paths_of_the_router_are_not_marked(url):
    assert not hasattr(resolve(url).func, "_non_atomic_requests")


@pytest.mark.django_db(transaction=True)
def test_request_of_a_marked_path_runs_in_no_transaction(settings, monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    client = Client()
    assert client.get("/first/a/other/").json() == {"atomic": True}
    assert client.get("/first/a/pay/").json() == {"atomic": False}
    assert client.post("/deep/v1/pay/").json() == {"atomic": False}
    assert client.get("/first/b/later/").json() == {"atomic": False}


def test_path_is_marked_before_its_operations_are_added():
    with pytest.raises(ValueError, match="/other/"):
        make_non_atomic(router, "/other/")
