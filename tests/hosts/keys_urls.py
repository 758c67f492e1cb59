"""Two APIs, each with the packages' routers."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.urls import path
from ninja import NinjaAPI
from ninja.security import APIKeyHeader

from hosts.urls import common, mount

KEY = "a-key-of-a-partner"


class PartnerKey(APIKeyHeader):
    param_name = "X-Partner-Key"

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        return get_user_model().objects.filter(is_superuser=True).first() if key == KEY else None


first = mount(NinjaAPI(title="First", urls_namespace="v1"))
second = mount(NinjaAPI(title="Second", urls_namespace="v2"))
urlpatterns = [path("admin/", admin.site.urls), path("v1/", first.urls), path("v2/", second.urls), *common]
