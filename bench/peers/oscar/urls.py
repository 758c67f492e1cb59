"""The unchanged API. ``api-payment`` is the one URL that a site must add."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def payment(request: HttpRequest, order: int) -> HttpResponse:
    return HttpResponse()


urlpatterns = [path("api/payment/<int:order>/", payment, name="api-payment"), path("api/", include("oscarapi.urls"))]
