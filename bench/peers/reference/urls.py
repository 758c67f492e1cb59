"""The same URLs as ours."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from bench.peers.reference.views import CartViewSet, OrderViewSet

router = SimpleRouter()
router.register("cart", CartViewSet, basename="cart")
router.register("orders", OrderViewSet, basename="order")
urlpatterns = [path("orders/", include(router.urls))]
