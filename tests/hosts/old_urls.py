"""Only the shop's host has the shop's URLs: the site's other hosts have an empty page."""

from typing import ClassVar

from django.http import HttpResponse
from django.urls import path


class Router:
    """Every row is in the one database, but the router is asked."""

    asked: ClassVar[set[str]] = set()

    def db_for_read(self, model, **_hints):
        self.asked.add(model.__name__)
        return "default"

    db_for_write = db_for_read


def urls_of_the_host(get_response):
    def middleware(request):
        if request.get_host().partition(":")[0] in {"testserver", "localhost"}:
            request.urlconf = "hosts.urls"
        return get_response(request)

    return middleware


urlpatterns = [path("", lambda _request: HttpResponse("another host"))]
