"""Payments of the caller's order."""

from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme
from pydantic import BaseModel
from shop_core.api.auth import OPTIONAL_SECURITY
from shop_core.api.problems import responses
from shop_core.api.views import make_non_atomic

from shop_orders import payments, visitors
from shop_orders.api import auth, idempotency, representations
from shop_orders.api.orders import OrderTokenHeader, OrderTokenQuery, own_order
from shop_orders.api.routers import router
from shop_orders.api.schemas import PaymentOut, StartPaymentIn
from shop_orders.models import Order

# These operations call payment providers, so they must not run in the transaction of a request.
make_non_atomic(router, "/orders/{number}/payments/")


@router.get(
    "/orders/{number}/payments/",
    response={200: list[PaymentOut], **responses(401, 403, 404)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="list_payments",
    summary="The payments of an order",
)
def list_payments(request: HttpRequest, number: str, token: OrderTokenQuery) -> list[PaymentOut]:
    return [representations.payment(payment) for payment in own_order(request, number, token).payments.all()]


@router.post(
    "/orders/{number}/payments/",
    response={201: PaymentOut, **responses(401, 403, 404, 409)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="start_payment",
    summary="Start a payment, or continue the pending one",
)
def start_payment(
    request: HttpRequest,
    number: str,
    payload: StartPaymentIn,
    x_order_token: OrderTokenHeader,
    idempotency_key: idempotency.Key,
) -> HttpResponse:
    visitors.limit(request, "payments")
    order = own_order(request, number, x_order_token)
    route = f"start_payment {order.number}"
    call = idempotency.Call(request, idempotency_key, owner=order.customer.key, route=route)
    return _start(call, request, order, payload)


@idempotency.once(in_transaction=False)
def _start(request: HttpRequest, order: Order, payload: StartPaymentIn) -> tuple[int, BaseModel]:
    is_ours = url_has_allowed_host_and_scheme(payload.return_url, {request.get_host()})
    payment = payments.start(
        order.pk,
        provider=payload.payment_provider,
        phone=payload.phone,
        return_url=payload.return_url if is_ours else "",
        base_url=f"{request.scheme}://{request.get_host()}",
    )
    return 201, representations.payment(payment)
