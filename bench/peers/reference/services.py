"""The actions of the reference shop: rows are locked together, then checked and saved one by one.

It never oversells, and writes as many rows to the same tables as ours; its events have no payload.
"""

from decimal import Decimal
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from shop_catalog.models import StockMovement
from shop_orders.models import Cart, Customer, Order, OrderEvent
from shop_orders.numbers import order_number

from bench.peers.reference.models import CartLine, lines_of


@transaction.atomic
def add_to_cart(*, user: Any, product: Any, quantity: int) -> Cart:
    cart, _created = Cart.objects.select_for_update().get_or_create(customer=user.shop_customer, status="open")
    line = lines_of(cart).filter(product=product).first() or CartLine(cart=cart, product=product, quantity=0)
    line.quantity += quantity
    if line.quantity > product.available_quantity:
        raise ValidationError({"quantity": f"Only {product.available_quantity} are available."})
    line.name, line.price_when_added = product.name, product.price
    line.save()
    return cart


@transaction.atomic
def place_order(*, user: Any, shipping_address: dict[str, Any]) -> Order:
    customer = user.shop_customer
    cart = get_object_or_404(Cart.objects.select_for_update(), customer=customer, status="open")
    lines = locked_lines(cart)
    if not lines:
        raise ValidationError("The cart is empty.")
    order = create_order(customer, cart, lines, shipping_address)
    for position, line in enumerate(sorted(lines, key=attrgetter("pk")), start=1):
        create_line(order, line, position)
        take_from_stock(line)
    log(order, lines, actor=user)
    cart.status = "ordered"
    cart.save()
    return order


def locked_lines(cart: Cart) -> list[CartLine]:
    """The lines with their products, locked in the order of their keys to avoid deadlocks."""
    lines = lines_of(cart).select_related("product").select_for_update(of=("product",))
    return list(lines.order_by("product__pk"))


def create_order(customer: Customer, cart: Cart, lines: list[CartLine], shipping_address: dict[str, Any]) -> Order:
    total = sum((line.line_total for line in lines), Decimal(0))
    order = Order(
        cart=cart,
        customer=customer,
        status="confirmed",
        contact_name=customer.name,
        email=customer.email,
        shipping_address=shipping_address,
        payment_provider="on_delivery",
        currency=str(settings.SHOP_ORDERS["CURRENCY"]),
        subtotal=total,
        charges_total=Decimal(0),
        net_total=total,
        tax_total=Decimal(0),
        total=total,
    )
    order.number = order_number(order)
    order.save()
    return order


def create_line(order: Order, line: CartLine, position: int) -> None:
    order.lines.create(
        position=position,
        product_ref=line.product.sku,
        sku=line.product.sku,
        name=line.product.name,
        quantity=line.quantity,
        unit_price=line.product.price,
        line_total=line.line_total,
        tax_class=line.product.tax_class,
        weight=line.product.weight,
    )


def take_from_stock(line: CartLine) -> None:
    product = line.product
    if line.quantity > product.available_quantity:
        raise ValidationError(f"There is not enough of {product.name}.")
    product.reserved_quantity += line.quantity
    product.save(update_fields=["reserved_quantity", "updated_at"])


def log(order: Order, lines: list[CartLine], *, actor: Any) -> None:
    StockMovement.objects.bulk_create(
        StockMovement(product=line.product, kind="reserve", reserved_change=line.quantity, reference=order.number)
        for line in lines
    )
    OrderEvent.objects.bulk_create(
        OrderEvent(order=order, kind=kind, actor=actor, announced_at=timezone.now())
        for kind in ("placed", "status_changed")
    )
