"""A shop with delivery options: its pages are the package's, with one method of their own."""

from decimal import Decimal

from django.urls import include, path
from shop_orders.contrib.pages.delivery import DeliveryOption
from shop_orders.contrib.pages.views import base, checkout, orders

from testproject.urls import urlpatterns as others


class WithDelivery(base.Page):
    def delivery_options(self, draft):
        price = Decimal(0) if draft.subtotal > 20 else Decimal(3)
        return [
            DeliveryOption(code="post", label="By post", price=price),
            DeliveryOption(code="shelf", label="From our shelf", hint="Ring twice", needs_address=False),
        ]


class EnterDetails(WithDelivery, checkout.EnterDetails):
    pass


class ReviewOrder(WithDelivery, checkout.ReviewOrder):
    def context(self, **values):
        return {**super().context(**values), "closes_at": "18:00"}


class Thanks(WithDelivery, orders.Thanks):
    pass


urlpatterns = [
    path("store/checkout/", EnterDetails.as_view()),
    path("store/checkout/review/", ReviewOrder.as_view()),
    path("store/orders/<str:number>/thanks/", Thanks.as_view()),
    path("store/", include("shop_orders.contrib.pages.urls")),
    *others,
]
