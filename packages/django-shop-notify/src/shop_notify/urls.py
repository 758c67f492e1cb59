"""URLs that providers and recipients call: ``path("notify/", include("shop_notify.urls"))``."""

from django.urls import path

from shop_notify import webhooks

app_name = "shop_notify"
urlpatterns = [
    path("reports/<slug:alias>/", webhooks.delivery_report, name="report"),
    path("reports/<slug:alias>/<str:secret>/", webhooks.delivery_report, name="report"),
    path("unsubscribe/<str:token>/", webhooks.unsubscribe, name="unsubscribe"),
]
