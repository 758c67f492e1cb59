"""The URLs that payment providers call. Include them anywhere: ``path("payments/", include("shop_orders.urls"))``."""

from django.urls import path

from shop_orders import views, webhooks

app_name = "shop_orders"

urlpatterns = [
    path("webhooks/<str:alias>/", webhooks.webhook, name="webhook"),
    path("webhooks/<str:alias>/<str:secret>/", webhooks.webhook, name="webhook_with_secret"),
    path("test/<uuid:payment_id>/", views.hosted_test, name="hosted_test"),
]
