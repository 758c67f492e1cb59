"""The requests and responses of the reference shop."""

from decimal import Decimal
from functools import partial
from typing import Any

from django.conf import settings
from rest_framework import serializers
from shop_catalog.models import Product
from shop_orders.models import Cart, Order, OrderLine

from bench.peers.reference import services
from bench.peers.reference.models import CartLine, lines_of

Money = partial(serializers.DecimalField, max_digits=14, decimal_places=2, read_only=True)


class AddItemSerializer(serializers.Serializer):
    product = serializers.SlugRelatedField(slug_field="sku", queryset=Product.objects.filter(is_active=True))
    quantity = serializers.IntegerField(min_value=1, max_value=999, default=1)

    def create(self, validated_data: dict[str, Any]) -> Cart:
        return services.add_to_cart(**validated_data)


class CartLineSerializer(serializers.ModelSerializer):
    product = serializers.CharField(source="product_id")
    sku = serializers.CharField(source="product.sku")
    name = serializers.CharField(source="product.name")
    unit_price = Money(source="product.price")
    price_when_added = Money()
    line_total = Money()
    available = serializers.IntegerField(source="product.available_quantity")
    image = serializers.SerializerMethodField()

    class Meta:
        model = CartLine
        fields = [
            "product",
            "sku",
            "name",
            "quantity",
            "unit_price",
            "price_when_added",
            "line_total",
            "available",
            "image",
        ]

    def get_image(self, line: CartLine) -> str:
        images = line.product.images.all()
        return images[0].rendition_url("thumb") if images else ""


class CartSerializer(serializers.ModelSerializer):
    lines = CartLineSerializer(many=True)
    currency = serializers.ReadOnlyField(default=settings.SHOP_ORDERS["CURRENCY"])
    item_count = serializers.SerializerMethodField()
    total = serializers.SerializerMethodField()

    class Meta:
        model = Cart
        fields = ["currency", "item_count", "lines", "total"]

    def get_item_count(self, cart: Cart) -> int:
        return sum(line.quantity for line in lines_of(cart))

    def get_total(self, cart: Cart) -> str:
        return str(round(sum((line.line_total for line in lines_of(cart)), Decimal(0)), 2))


class AddressSerializer(serializers.Serializer):
    name = serializers.CharField(max_length=200, default="", allow_blank=True)
    company = serializers.CharField(max_length=200, default="", allow_blank=True)
    line1 = serializers.CharField(max_length=200)
    line2 = serializers.CharField(max_length=200, default="", allow_blank=True)
    city = serializers.CharField(max_length=100)
    region = serializers.CharField(max_length=100, default="", allow_blank=True)
    postal_code = serializers.CharField(max_length=20, default="", allow_blank=True)
    country = serializers.CharField(min_length=2, max_length=2)
    phone = serializers.CharField(max_length=16, default="", allow_blank=True)


class OrderLineSerializer(serializers.ModelSerializer):
    product = serializers.CharField(source="product_ref")
    unit_price = Money()
    line_total = Money()

    class Meta:
        model = OrderLine
        fields = ["product", "sku", "name", "quantity", "unit_price", "line_total", "shipped_quantity"]


class OrderSerializer(serializers.ModelSerializer):
    shipping_address = AddressSerializer()
    lines = OrderLineSerializer(many=True, read_only=True)
    subtotal = Money()
    tax_total = Money()
    total = Money()
    paid_amount = Money()
    amount_due = Money()

    class Meta:
        model = Order
        fields = [
            "number",
            "status",
            "payment_status",
            "placed_at",
            "currency",
            "subtotal",
            "tax_total",
            "total",
            "paid_amount",
            "amount_due",
            "shipping_address",
            "payment_provider",
            "lines",
        ]
        read_only_fields = ["number", "status", "payment_status", "placed_at", "currency", "payment_provider"]

    def create(self, validated_data: dict[str, Any]) -> Order:
        return services.place_order(**validated_data)
