"""The API as it comes. ``api-payment`` is the one address that it expects a site to add."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def payment(request: HttpRequest, order: int) -> HttpResponse:
    return HttpResponse()


urlpatterns = [path("api/payment/<int:order>/", payment, name="api-payment"), path("api/", include("oscarapi.urls"))]
