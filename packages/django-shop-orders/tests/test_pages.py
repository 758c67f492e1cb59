import threading

import pytest
from django.contrib.auth.signals import user_logged_in
from django.db import connection, transaction
from django.test import Client, RequestFactory
from shop_core.db import transactions
from shop_orders import carts, checkout, guest_links, pages
from shop_orders.models import Cart

pytestmark = pytest.mark.django_db


def test_guest_cart_is_kept_in_a_signed_http_only_cookie(client, book):
    assert client.get("/shop/cart/").content.decode() == "0 items"
    response = client.post("/shop/add/", {"product": "978-1", "quantity": 2})
    cookie = response.cookies[pages.COOKIE]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert client.get("/shop/cart/").content.decode() == "2 items"
    assert pages.COOKIE not in client.post("/shop/add/", {"product": "978-1"}).cookies


def test_unsigned_cookie_finds_no_cart(book):
    _cart, token = carts.add_to_cart("978-1")
    client = Client()
    client.cookies[pages.COOKIE] = token
    assert client.get("/shop/cart/").content.decode() == "0 items"


def test_cookie_of_a_deleted_cart_starts_a_new_cart(client, book):
    client.post("/shop/add/", {"product": "978-1", "quantity": 2})
    Cart.objects.all().delete()
    assert client.get("/shop/cart/").content.decode() == "0 items"
    client.post("/shop/add/", {"product": "978-1"})
    assert client.get("/shop/cart/").content.decode() == "1 items"


def test_context_processor_queries_nothing_until_the_cart_is_used(django_assert_num_queries, user):
    request = RequestFactory().get("/")
    request.user = user
    with django_assert_num_queries(0):
        pages.cart(request)


def test_ordered_cart_is_found_by_its_owner_only(customer, user, other_user, book):
    cart, _token = carts.add_to_cart("978-1", customer=customer)
    checkout.place_order(cart)
    request = RequestFactory().get("/")
    request.user = user
    assert pages.own_cart(request, str(cart.public_id)) == cart
    assert pages.own_cart(request, "no-uuid") is None
    request.user = other_user
    assert pages.own_cart(request, str(cart.public_id)) is None


def test_order_is_found_by_its_owner_or_by_the_link(guest_order, place, user):
    request = RequestFactory().get("/")
    request.user = user
    mine, theirs = place(), guest_order()
    assert pages.own_order(request, mine.number) == mine
    assert pages.own_order(request, theirs.number) is None
    assert pages.own_order(request, theirs.number, guest_links.token_for(theirs.number)) == theirs


@pytest.mark.pg
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_log_in_succeeds_while_the_guest_cart_is_locked(user, book, monkeypatch):
    monkeypatch.setattr(transactions, "LOCK_TIMEOUT", "100ms")
    client = Client()
    client.post("/shop/add/", {"product": "978-1", "quantity": 2})
    request = RequestFactory().get("/")
    request.COOKIES[pages.COOKIE] = client.cookies[pages.COOKIE].value
    is_locked, is_done = threading.Event(), threading.Event()

    def hold_lock():
        with transaction.atomic():
            Cart.objects.select_for_update().get()
            is_locked.set()
            is_done.wait(10)
        connection.close()

    holder = threading.Thread(target=hold_lock)
    holder.start()
    is_locked.wait(10)
    try:
        user_logged_in.send(type(user), request=request, user=user)
    finally:
        is_done.set()
        holder.join()
    assert Cart.objects.get(customer=None).is_open
    user_logged_in.send(type(user), request=request, user=user)
    assert Cart.objects.get(customer__user=user).items.get().quantity == 2


def broken_hook(_user):
    raise ValueError("a bug of the site")


@pytest.mark.parametrize("hook", ["VERIFIED_EMAILS", "NEW_CUSTOMER"])
def test_log_in_succeeds_while_a_hook_of_the_site_fails(settings, client, user, book, caplog, hook):
    client.post("/shop/add/", {"product": "978-1", "quantity": 2})
    settings.SHOP_ORDERS = {**settings.SHOP_ORDERS, hook: f"{__name__}.broken_hook"}
    request = RequestFactory().get("/")
    request.COOKIES[pages.COOKIE] = client.cookies[pages.COOKIE].value
    user_logged_in.send(type(user), request=request, user=user)
    assert hook in caplog.text
    assert "a bug of the site" in caplog.text
    assert Cart.objects.open().count() == 1
