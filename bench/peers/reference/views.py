"""The two operations of the reference shop."""

from typing import Any

from django.db.models import Prefetch, prefetch_related_objects
from rest_framework.decorators import action
from rest_framework.mixins import CreateModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet
from shop_catalog.models import ProductImage

from bench.peers.reference.models import CartLine
from bench.peers.reference.serializers import AddItemSerializer, CartSerializer, OrderSerializer

PICTURES = Prefetch("product__images", ProductImage.objects.filter(is_primary=True))
LINES = Prefetch("lines", CartLine.objects.select_related("product").prefetch_related(PICTURES))


class CartViewSet(GenericViewSet):
    serializer_class = AddItemSerializer

    @action(detail=False, methods=["post"])  # type: ignore[untyped-decorator]
    def add_item(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        cart = serializer.save(user=request.user)
        prefetch_related_objects([cart], LINES)
        return Response(CartSerializer(cart).data)


class OrderViewSet(CreateModelMixin, GenericViewSet):
    serializer_class = OrderSerializer

    def perform_create(self, serializer: Any) -> None:
        serializer.save(user=self.request.user)
