"""Cart operations, for customers and guests."""

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Body, Header, Query
from shop_core.api.auth import OPTIONAL_SECURITY
from shop_core.api.problems import responses
from shop_core.api.types import ShortText

from shop_orders import carts, customers, payments, visitors
from shop_orders.api import auth, representations
from shop_orders.api.routers import router
from shop_orders.api.schemas import (
    AddItemIn,
    CartOut,
    MergeOut,
    PaymentProviderOut,
    ReminderIn,
    ReminderOut,
    RemoveItemIn,
    SetQuantityIn,
)
from shop_orders.exceptions import CartEmpty, UnknownLine, UnknownProduct
from shop_orders.models import Cart, Customer

CART_TOKEN_HEADER = "X-Cart-Token"  # noqa: S105

CartToken = Annotated[ShortText, Header("", alias=CART_TOKEN_HEADER, description="The token of a guest's cart.")]


def _represent(cart: Cart | None, customer: Customer | None) -> CartOut:
    return representations.cart(carts.view(cart, customer=customer))


@router.get(
    "/cart/",
    response={200: CartOut, **responses(401, 403, 404)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="get_cart",
    summary="The cart with current prices, and what changed",
)
def get_cart(request: HttpRequest, x_cart_token: CartToken) -> CartOut:
    customer = auth.customer_or_guest(request)
    return _represent(carts.find(customer=customer, token=x_cart_token), customer)


@router.post(
    "/cart/add_item/",
    response={200: CartOut, **responses(401, 403, 404, 409)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="add_cart_item",
    summary="Add units of a product",
)
def add_item(request: HttpRequest, payload: AddItemIn, x_cart_token: CartToken) -> HttpResponse:
    visitors.limit(request, "cart")
    contents = carts.contents(user=customers.user_of(request), token=x_cart_token)
    view, new_token = carts.add_and_view(contents, payload.product, payload.quantity, options=payload.options)
    response = representations.as_json(representations.cart(view))
    if new_token:
        response[CART_TOKEN_HEADER] = new_token
    return response


@router.patch(
    "/cart/update_quantity/",
    response={200: CartOut, **responses(401, 403, 404, 409)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="set_cart_item_quantity",
    summary="Set the units of a line; 0 removes it",
)
def update_quantity(request: HttpRequest, payload: SetQuantityIn, x_cart_token: CartToken) -> CartOut:
    visitors.limit(request, "cart")
    customer = auth.customer_or_guest(request)
    cart = carts.find(customer=customer, token=x_cart_token)
    if cart is None or not (payload.line or payload.product):
        raise UnknownLine(payload.line) if payload.line else UnknownProduct(payload.product)
    if payload.line:
        carts.set_line_quantity(cart, payload.line, payload.quantity)
    else:
        carts.set_quantity(cart, payload.product, payload.quantity)
    return _represent(cart, customer)


@router.delete(
    "/cart/remove_item/",
    response={200: CartOut, **responses(401, 403, 404, 409)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="remove_cart_item",
    summary="Remove a line, named in the query or in the body",
)
def remove_item(
    request: HttpRequest,
    x_cart_token: CartToken,
    product: Annotated[ShortText, Query("")],
    line: Annotated[ShortText, Query("")],
    payload: Annotated[RemoveItemIn | None, Body(None)],
) -> CartOut:
    visitors.limit(request, "cart")
    customer = auth.customer_or_guest(request)
    body = payload or RemoveItemIn()
    line, ref = line or body.line, product or body.product
    cart = carts.find(customer=customer, token=x_cart_token)
    if cart is None or not (line or ref):
        raise UnknownLine(line) if line else UnknownProduct(ref)
    if line:
        carts.remove_line(cart, line)
    else:
        carts.remove_item(cart, ref)
    return _represent(cart, customer)


@router.delete(
    "/cart/clear/",
    response={200: CartOut, **responses(401, 403, 404, 409)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="clear_cart",
    summary="Remove all products",
)
def clear(request: HttpRequest, x_cart_token: CartToken) -> CartOut:
    visitors.limit(request, "cart")
    customer = auth.customer_or_guest(request)
    cart = carts.find(customer=customer, token=x_cart_token)
    if cart is not None:
        carts.clear(cart)
    return _represent(cart, customer)


@router.get(
    "/cart/reminder/",
    response={200: ReminderOut, **responses(401, 403, 404)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="get_cart_reminder",
    summary="Whether the customer agreed to be reminded of the cart",
)
def get_reminder(request: HttpRequest, x_cart_token: CartToken) -> ReminderOut:
    return _represent_reminder(carts.find(customer=auth.customer_or_guest(request), token=x_cart_token))


@router.put(
    "/cart/reminder/",
    response={200: ReminderOut, **responses(401, 403, 404, 409)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="agree_to_cart_reminder",
    summary="Agree to be reminded once of the cart, if it is left unordered",
)
def agree_to_reminder(request: HttpRequest, payload: ReminderIn, x_cart_token: CartToken) -> ReminderOut:
    visitors.limit(request, "cart")
    cart = carts.find(customer=auth.customer_or_guest(request), token=x_cart_token)
    if cart is None:
        raise CartEmpty
    carts.agree_to_reminder(cart, email=payload.email)
    return _represent_reminder(cart)


@router.delete(
    "/cart/reminder/",
    response={200: ReminderOut, **responses(401, 403, 404, 409)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="withdraw_cart_reminder",
    summary="Withdraw the consent to be reminded of the cart",
)
def withdraw_reminder(request: HttpRequest, x_cart_token: CartToken) -> ReminderOut:
    visitors.limit(request, "cart")
    cart = carts.find(customer=auth.customer_or_guest(request), token=x_cart_token)
    if cart is not None:
        carts.withdraw_reminder(cart)
    return _represent_reminder(cart)


def _represent_reminder(cart: Cart | None) -> ReminderOut:
    reminder = carts.reminder_of(cart)
    return ReminderOut(agreed=reminder is not None, email=reminder.email if reminder else "")


@router.post(
    "/cart/merge/",
    response={200: MergeOut, **responses(401, 403, 404, 409)},
    auth=auth.required,
    operation_id="merge_cart",
    summary="Merge a guest's cart into the customer's",
)
def merge(request: HttpRequest, x_cart_token: CartToken) -> MergeOut:
    visitors.limit(request, "cart")
    customer = auth.customer(request)
    report = carts.merge(x_cart_token, customer=customer)
    return representations.merge(report, carts.view(report.cart, customer=customer))


@router.get(
    "/cart/payment_providers/",
    response={200: list[PaymentProviderOut], **responses(401, 403, 404)},
    auth=auth.optional,
    openapi_extra=OPTIONAL_SECURITY,
    operation_id="list_payment_providers",
    summary="The ways to pay the cart: which are possible, why not, and what they need",
)
def list_payment_providers(request: HttpRequest, x_cart_token: CartToken) -> list[PaymentProviderOut]:
    customer = auth.customer_or_guest(request)
    draft = carts.view(carts.find(customer=customer, token=x_cart_token), customer=customer).draft
    choices = payments.provider_choices(amount=draft.total, currency=draft.currency)
    return [representations.provider_choice(choice, draft.currency) for choice in choices]
