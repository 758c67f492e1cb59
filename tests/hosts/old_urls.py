"""Only the shop's host has the shop's URLs: the site's other hosts have an empty page."""

from django.http import HttpResponse
from django.urls import path


class Router:
    """Every row is in the one database, but the router is asked."""

    def db_for_read(self, _model, **_hints):
        return "default"

    db_for_write = db_for_read


def urls_of_the_host(get_response):
    def middleware(request):
        if request.get_host().partition(":")[0] == "testserver":
            request.urlconf = "hosts.urls"
        return get_response(request)

    return middleware


urlpatterns = [path("", lambda _request: HttpResponse("another host"))]
