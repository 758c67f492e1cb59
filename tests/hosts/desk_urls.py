"""The packages' admin classes on a second site."""

from django.contrib import admin
from django.urls import path

from hosts.urls import api, common

desk = admin.AdminSite(name="desk")
for model, model_admin in list(admin.site._registry.items()):
    desk.register(model, type(model_admin))
    if model._meta.app_label.startswith("shop_"):
        admin.site.unregister(model)

urlpatterns = [path("admin/", admin.site.urls), path("desk/", desk.urls), path("api/", api.urls), *common]
