"""Wagtail's admin beside Django's, and its pages below everything else."""

from django.contrib import admin
from django.urls import include, path
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls

from hosts.urls import api, common

urlpatterns = [
    path("admin/", admin.site.urls),
    path("cms/", include(wagtailadmin_urls)),
    path("api/", api.urls),
    *common,
    path("", include(wagtail_urls)),
]
