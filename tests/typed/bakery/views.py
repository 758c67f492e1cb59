"""The pages: the cart, an order, and the orders that staff have to bake."""

import logging
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Sum
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST
from shop_orders import checkout, customers, lifecycle, pages, payments, tracking, visitors
from shop_orders.exceptions import InsufficientStock, ShopOrdersError
from shop_orders.models import Customer, Order, OrderLine, OrderStatus, Payment
from shop_orders.signals import order_placed

logger = logging.getLogger(__name__)


def cart(request: HttpRequest) -> HttpResponse:
    view = pages.current_view(request)
    lines = [{"name": line.name, "quantity": line.quantity, "total": str(line.line_total)} for line in view.lines]
    return JsonResponse({"lines": lines, "total": str(view.draft.total), "can_be_ordered": view.can_be_ordered})


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    response = redirect("cart")
    try:
        pages.add_to_cart(request, response, request.POST["loaf"], int(request.POST.get("quantity", "1")))
    except ShopOrdersError as error:
        return HttpResponse(f"{error.code}: {error}", status=409)
    return response


@require_POST
def order(request: HttpRequest) -> HttpResponse:
    mine = pages.current_cart(request)
    if mine is None:
        return redirect("cart")
    contact = checkout.Contact(name=request.POST["name"], email=request.POST["email"])
    try:
        placed: Order = checkout.place_order(mine, contact=contact, visitor=visitors.of(request))
        payment: Payment = payments.start(placed.pk)
    except InsufficientStock as error:
        return JsonResponse({"available": dict(error.shortages)}, status=409)
    except ShopOrdersError as error:
        return HttpResponse(str(error), status=409)
    return redirect(payment.redirect_url or "cart")


def order_page(request: HttpRequest, number: str) -> HttpResponse:
    found = pages.own_order(request, number, request.GET.get("token", ""))
    if found is None:
        return HttpResponse(status=404)
    lines: list[OrderLine] = list(found.lines.order_by("position"))
    shown: dict[str, Any] = {
        "status": found.get_status_display(),
        "lines": [f"{line.quantity} x {line.name}: {line.line_total}" for line in lines],
        "parcels": [shipment.tracking_number for shipment in found.shipments.all()],
        "history": [step.created_at.isoformat() for step in tracking.of(found).events],
        "due": str(found.amount_due),
    }
    return JsonResponse(shown)


def unpaid_orders(customer: Customer) -> list[Order]:
    """The newest comes first."""
    return list(customer.orders.unpaid().prefetch_related("lines"))


def loaves_to_bake(day: date) -> dict[str, int]:
    wanted = OrderLine.objects.filter(order__status=OrderStatus.CONFIRMED, order__placed_at__date=day)
    rows = wanted.values("name").annotate(units=Sum("quantity"))
    return {row["name"]: row["units"] for row in rows}


def to_bake(_request: HttpRequest) -> HttpResponse:
    orders = Order.objects.filter(status=OrderStatus.CONFIRMED).with_account().prefetch_related("lines")
    owed: Decimal = sum((one.amount_due for one in orders), Decimal(0))
    first: Order | None = Order.objects.unpaid().overdue(timezone.now()).first()
    loaves = loaves_to_bake(timezone.localdate())
    return JsonResponse({"orders": [one.number for one in orders], "loaves": loaves, "owed": owed, "late": str(first)})


@require_POST
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    customer = customers.for_request(request)
    mine = get_object_or_404(Order.objects.of(customer).numbered(number))
    cancelled = lifecycle.cancel(mine.pk, by=request.user, reason="By the customer.")
    return HttpResponse(str(cancelled.refund_due))


@receiver(order_placed)
def log_order(order: Order, payload: dict[str, Any], **_more: Any) -> None:
    logger.info("%s ordered %s", order.customer.key, [line["name"] for line in payload["order"]["lines"]])
