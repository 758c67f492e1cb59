"""The usual way: get_or_create, select_for_update, one save per line, schemas over instances.

It is correct: it never oversells.
"""

from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.urls import path
from django.utils import timezone
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError
from ninja.security import HttpBearer
from shop_catalog.models import Product, StockMovement
from shop_orders.models import Cart, CartItem, Customer, Order, OrderEvent
from shop_orders.numbers import order_number


class Token(HttpBearer):
    def authenticate(self, request: Any, token: str) -> Any:
        users: Any = get_user_model().objects
        return users.filter(username=token, is_active=True).first()


api = NinjaAPI(docs_url=None, openapi_url=None, urls_namespace="usual", auth=Token())


class Add(Schema):
    product: str
    quantity: int = 1


class Line(Schema):
    product: str
    name: str
    quantity: int
    unit_price: Decimal
    line_total: Decimal
    available: int


class CartAnswer(Schema):
    lines: list[Line]
    total: Decimal


class Address(Schema):
    line1: str
    city: str
    country: str


class Place(Schema):
    shipping_address: Address


class OrderLineAnswer(Schema):
    product_ref: str
    name: str
    quantity: int
    unit_price: Decimal
    line_total: Decimal


class OrderAnswer(Schema):
    number: str
    status: str
    payment_status: str
    total: Decimal
    lines: list[OrderLineAnswer]


@api.post("/orders/cart/add_item/", response=CartAnswer)
def add_item(request: Any, payload: Add) -> Any:
    customer, _created = Customer.objects.get_or_create(user=request.auth, defaults={"email": request.auth.email})
    with transaction.atomic():
        cart, _created = Cart.objects.get_or_create(customer=customer, status="open")
        product: Any = Product.objects.get(sku=payload.product, is_active=True)
        item, created = CartItem.objects.select_for_update().get_or_create(
            cart=cart,
            product_ref=product.sku,
            defaults={"quantity": payload.quantity, "name": product.name, "price_when_added": product.price},
        )
        if not created:
            item.quantity += payload.quantity
            item.save()
    items = list(cart.items.all())
    products: dict[str, Any] = {
        row.sku: row for row in Product.objects.filter(sku__in=[item.product_ref for item in items])
    }
    lines = [
        {
            "product": item.product_ref,
            "name": item.name,
            "quantity": item.quantity,
            "unit_price": products[item.product_ref].price,
            "line_total": products[item.product_ref].price * item.quantity,
            "available": products[item.product_ref].available_quantity,
        }
        for item in items
    ]
    return {"lines": lines, "total": sum(line["line_total"] for line in lines)}


@api.post("/orders/orders/", response={201: OrderAnswer})
def place_order(request: Any, payload: Place) -> Any:
    customer = Customer.objects.get(user=request.auth)
    with transaction.atomic():
        cart = Cart.objects.select_for_update().get(customer=customer, status="open")
        items = list(cart.items.all())
        skus = [item.product_ref for item in items]
        rows = Product.objects.select_for_update().filter(sku__in=skus).order_by("pk")
        products: dict[str, Any] = {row.sku: row for row in rows}
        total = sum((products[item.product_ref].price * item.quantity for item in items), Decimal(0))
        order = Order(customer=customer, cart=cart, email=customer.email, payment_provider="on_delivery")
        order.number = order_number(order)
        order.shipping_address = payload.shipping_address.dict()
        order.currency, order.subtotal, order.charges_total, order.tax_total = "KES", total, Decimal(0), Decimal(0)
        order.net_total = order.total = total
        order.save()
        for position, item in enumerate(items, start=1):
            product = products[item.product_ref]
            if product.available_quantity < item.quantity:
                raise HttpError(400, "There is not enough.")
            order.lines.create(
                position=position,
                product_ref=product.sku,
                sku=product.sku,
                name=product.name,
                quantity=item.quantity,
                unit_price=product.price,
                line_total=product.price * item.quantity,
            )
            product.reserved_quantity += item.quantity
            product.save(update_fields=["reserved_quantity", "updated_at"])
            StockMovement.objects.create(
                product=product, kind="reserve", reserved_change=item.quantity, reference=order.number
            )
        order.status, cart.status = "confirmed", "ordered"
        order.save()
        cart.save()
        for kind in ("placed", "status_changed"):
            OrderEvent.objects.create(order=order, kind=kind, actor=request.auth, announced_at=timezone.now())
    return 201, order


urlpatterns = [path("", api.urls)]
