"""A site with ATOMIC_REQUESTS, as cookiecutter-django makes it: no provider is called inside a transaction."""

import ast
import re
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path, resolve
from django.utils import timezone
from ninja import NinjaAPI
from shop_core.db.transactions import CalledInTransaction
from shop_orders import idempotency, payments
from shop_orders.admin import OrderAdmin
from shop_orders.idempotency import KeyedRequest
from shop_orders.models import IdempotencyKey, Order, OrderEvent, Payment, Refund
from shop_orders.payment_providers import HostedTestProvider, PaymentProvider, PaymentState
from shop_orders.payments.sending import check_refund
from test_races import at_once

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db(transaction=True)]


class SiteAPI(NinjaAPI):
    """A site's own API, whose handler returns a response for any error."""


api = SiteAPI(urls_namespace="site")
api.add_router("/shop/", "shop_orders.api.router")
api.add_router("/shop/staff/", "shop_orders.api.staff_router")
site = AdminSite("backoffice")
site.register(Order, OrderAdmin)


@api.exception_handler(Exception)
def hide_error(request, error):
    return api.create_response(request, {"detail": type(error).__name__}, status=500)


@api.post("/own/refund/{number}/")
def refund_in_the_request(request, number: str):
    """A view of the site that forgot to leave the transaction of the request."""
    return len(payments.refund(Order.objects.get(number=number).pk))


def refund_in_the_view(request, number):
    return HttpResponse(len(payments.refund(Order.objects.get(number=number).pk)))


@transaction.non_atomic_requests
def marked(request, number):
    return refund_in_the_view(request, number)


urlpatterns = [
    path("site/", include([path("api/v1/", api.urls)])),
    path("pay/", include("shop_orders.urls")),
    path("backoffice/", site.urls),
    path("refund/<number>/", refund_in_the_view),
    path("marked/<number>/", marked),
]


class Recorder(HostedTestProvider):
    """The test provider. It records each call and whether it was inside a transaction."""

    calls = []

    def start(self, request):
        self.record("start")
        return super().start(request)

    def capture(self, state, **options):
        self.record("capture")
        return super().capture(state, **options)

    def refund(self, state, **options):
        self.record("refund")
        return super().refund(state, **options)

    def fetch(self, state, **options):
        self.record("fetch")
        return super().fetch(state, **options)

    def cancel(self, state, **options):
        self.record("cancel")

    def read_webhook(self, request):
        self.record("webhook")
        return super().read_webhook(request)

    def record(self, call):
        self.calls.append((call, connection.in_atomic_block))


@pytest.fixture
def calls(monkeypatch, shop_settings):
    """ATOMIC_REQUESTS is on. The calls of the provider: their names, and whether they were in a transaction."""
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    options = {"secrets": ["secret-" * 8]}
    shop_settings(PAYMENT_PROVIDERS={"test": {"BACKEND": f"{__name__}.Recorder", "OPTIONS": options}})
    Recorder.calls.clear()
    yield Recorder.calls
    assert [call for call, is_atomic in Recorder.calls if is_atomic] == []


def client_of(email, *, is_staff=False):
    users = get_user_model().objects
    named = settings.AUTH_USER_MODEL == "auth.User"
    user = users.create_user(email, email) if named else users.create_user(email)
    user.is_staff = user.is_superuser = is_staff
    user.save()
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def buyer(db):
    return client_of("buyer@example.org")


@pytest.fixture
def staff(db):
    return client_of("staff@example.org", is_staff=True)


def post(client, url, body=None, *, key="", expect=200):
    headers = {"Idempotency-Key": key} if key else {}
    response = client.post(f"/site/api/v1/shop/{url}", body or {}, "application/json", headers=headers)
    assert response.status_code == expect, response.content
    return response


@pytest.fixture
def paid_order(calls, book, buyer):
    """An order that was placed, paid at the provider and confirmed by its webhook, all by requests."""
    post(buyer, "cart/add_item/", {"product": book.isbn, "quantity": 2})
    number = post(buyer, "orders/", {"contact": {"phone": "0712345678"}}, key="o-1", expect=201).json()["number"]
    started = [post(buyer, f"orders/{number}/payments/", key="p-1", expect=201).json() for _post in range(2)]
    assert started[0] == started[1]
    page = started[0]["redirect_url"].removeprefix("http://testserver")
    assert buyer.post(page, {"choice": "pay"}).status_code == 200
    order = Order.objects.get(number=number)
    assert (order.status, order.paid_amount) == ("confirmed", Decimal(25))
    return order


def test_three_posts_of_a_refund_with_one_key_move_the_money_once(paid_order, staff, calls):
    body = {"amount": "5.00", "reason": "Torn cover"}
    responses = [post(staff, f"staff/orders/{paid_order.number}/refund/", body, key="r-1") for _post in range(3)]
    assert [response.json()["refunded_amount"] for response in responses] == ["5.00"] * 3
    assert [name for name, _is_atomic in calls] == ["start", "webhook", "refund"]
    assert list(Refund.objects.values_list("amount", "status")) == [(Decimal(5), "succeeded")]


@pytest.mark.pg
def test_three_posts_at_once_of_a_refund_with_one_key_move_the_money_once(paid_order, staff, calls):
    url, body = f"staff/orders/{paid_order.number}/refund/", {"amount": "5.00"}
    responses = at_once(*[lambda: post(staff, url, body, key="r-1").json()] * 3)
    assert {response["number"] for response in responses} == {paid_order.number}
    assert [name for name, _is_atomic in calls] == ["start", "webhook", "refund"]
    assert list(Refund.objects.values_list("amount", "status")) == [(Decimal(5), "succeeded")]


def test_order_is_shipped_and_refunded_on_its_admin_page(paid_order, staff, calls):
    url = f"staff/orders/{paid_order.number}"
    assert post(staff, f"{url}/process/").json()["status"] == "processing"
    assert post(staff, f"{url}/ship/", {"carrier": "Post"}).json()["status"] == "shipped"
    page = f"/backoffice/shop_orders/order/{paid_order.pk}/step/refund/"
    hidden = re.findall('<input type="hidden" name="([^"]+)" value="([^"]*)"', staff.get(page).content.decode())
    assert staff.post(page, {**dict(hidden), "amount": "5.00", "line_1": 0}).status_code == 302
    paid_order.refresh_from_db()
    assert (paid_order.status, paid_order.refunded_amount) == ("shipped", Decimal(5))
    assert calls[-1] == ("refund", False)


def test_staff_capture_an_authorised_payment(calls, book, buyer, staff):
    post(buyer, "cart/add_item/", {"product": book.isbn})
    order = post(buyer, "orders/", {"contact": {"phone": "0712345678"}}, expect=201).json()
    started = post(buyer, f"orders/{order['number']}/payments/", expect=201).json()
    buyer.post(started["redirect_url"].removeprefix("http://testserver"), {"choice": "authorise"})
    url = f"staff/orders/{order['number']}/payments/{started['id']}/capture/"
    captured = [post(staff, url, key="c-1").json() for _post in range(2)]
    assert [response["paid_amount"] for response in captured] == ["12.50"] * 2
    assert [name for name, _is_atomic in calls] == ["start", "webhook", "capture"]


@pytest.mark.parametrize("name", ["refund", "marked"])
def test_a_view_of_the_site_refunds_only_outside_of_the_request(paid_order, buyer, calls, name):
    buyer.raise_request_exception = False
    response = buyer.get(f"/{name}/{paid_order.number}/")
    if name == "marked":
        assert response.content == b"1"
        assert calls[-1] == ("refund", False)
    else:
        assert response.status_code == 500
        assert [call for call, _is_atomic in calls] == ["start", "webhook"]
        assert not Refund.objects.exists()


def test_an_error_handler_of_the_site_commits_no_refund(paid_order, buyer, calls):
    response = buyer.post(f"/site/api/v1/own/refund/{paid_order.number}/")
    assert (response.status_code, response.json()) == (500, {"detail": "CalledInTransaction"})
    assert not Refund.objects.exists()


MARKED = [
    "/site/api/v1/shop/orders/K7MXQ-4T29P/payments/",
    "/site/api/v1/shop/staff/orders/K7MXQ-4T29P/refund/",
    "/site/api/v1/shop/staff/orders/K7MXQ-4T29P/payments/1/capture/",
    "/pay/webhooks/test/",
    "/pay/webhooks/test/secret/",
    "/pay/test/00000000-0000-0000-0000-000000000000/",
    "/backoffice/shop_orders/order/1/step/refund/",
]


@pytest.mark.parametrize("url", MARKED)
def test_each_view_that_calls_a_provider_is_exempt(url):
    assert resolve(url).func._non_atomic_requests == set(connections)


def test_a_request_that_calls_no_provider_stays_atomic():
    assert not hasattr(resolve("/site/api/v1/shop/orders/").func, "_non_atomic_requests")


def stored():
    """All rows that an action with a provider could write."""
    return [
        list(model.objects.order_by("pk").values()) for model in (Order, Payment, Refund, OrderEvent, IdempotencyKey)
    ]


def run_outside(order, payment, refund):
    request = KeyedRequest(owner="o", route="r", key="k", digest="d")
    return idempotency.run_outside(request, lambda: (201, payments.start(order.pk)))


ACTIONS = {
    "start": lambda order, payment, refund: payments.start(order.pk),
    "capture": lambda order, payment, refund: payments.capture(payment.pk),
    "refund": lambda order, payment, refund: payments.refund(order.pk, amount=Decimal(1)),
    "send_refund": lambda order, payment, refund: payments.send_refund(refund.pk),
    "check_refund": lambda order, payment, refund: check_refund(refund.pk),
    "refresh": lambda order, payment, refund: payments.refresh(payment),
    "reconcile": lambda order, payment, refund: payments.reconcile(),
    "send_due_refunds": lambda order, payment, refund: payments.send_due_refunds(),
    "expire_due": lambda order, payment, refund: payments.expire_due(),
    "an idempotent request": run_outside,
    "reconcile_payments": lambda order, payment, refund: call_command("reconcile_payments"),
    "expire_orders": lambda order, payment, refund: call_command("expire_orders"),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_action_refuses_a_transaction_before_anything_is_sent_or_written(place, memory_provider, name):
    order = place(provider="memory")
    payment = payments.start(order.pk)
    status = "authorised" if name == "capture" else "captured"
    payments.apply_state(payment.pk, PaymentState(status=status))
    refund = payments.queue_refund(order.pk, amount=Decimal(2))[0] if status == "captured" else None
    Refund.objects.update(next_attempt_at=timezone.now())
    before, sent = stored(), list(memory_provider.calls)
    with pytest.raises(CalledInTransaction, match="ATOMIC_REQUESTS"), transaction.atomic():
        ACTIONS[name](order, payment, refund)
    assert (stored(), memory_provider.calls) == (before, sent)


def test_each_function_that_calls_a_provider_refuses_a_transaction():
    """A call that somebody adds later is found too."""
    without_network = {"refuses", "by_hand"}
    methods = {name for name in vars(PaymentProvider) if not name.startswith("_") and "webhook" not in name}
    methods -= without_network
    found, unguarded = 0, []
    for module in sorted(Path(payments.__file__).parent.glob("*.py")):
        for function in ast.parse(module.read_text(encoding="utf-8")).body:
            for node in ast.walk(function):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                is_provider = re.fullmatch(r"payment_provider\(.*\)|provider|chosen", ast.unparse(node.func.value))
                if is_provider and node.func.attr in methods:
                    found += 1
                    guards = [ast.unparse(decorator) for decorator in getattr(function, "decorator_list", [])]
                    if not any(guard.startswith("outside_transaction(") for guard in guards):
                        unguarded.append(f"{module.name}:{node.lineno}")
    assert found >= 6
    assert unguarded == []


def test_refund_can_be_queued_in_a_transaction_and_is_sent_after_it(place, memory_provider):
    order = place(provider="memory")
    payment = payments.start(order.pk)
    with transaction.atomic():
        payments.apply_state(payment.pk, PaymentState(status="captured"))
        queued = payments.queue_refund(order.pk, amount=Decimal(2))
        transaction.on_commit(lambda: payments.send_refund(queued[0].pk))
        assert "refund" not in memory_provider.calls
    assert memory_provider.calls.count("refund") == 1
    assert Refund.objects.get().status == "succeeded"
