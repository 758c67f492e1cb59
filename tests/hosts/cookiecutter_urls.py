"""An API whose handlers answer in the site's own way."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from ninja import NinjaAPI
from ninja.errors import ValidationError

from hosts.urls import common, mount

api = mount(NinjaAPI(title="Cookiecutter's kind", urls_namespace="api"))


@api.exception_handler(ValidationError)
def as_list(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return api.create_response(request, error.errors, status=422)


urlpatterns = [path("admin/", admin.site.urls), path("api/", api.urls), *common]
