from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("notify/", include("shop_notify.urls")),
]

if find_spec("ninja"):
    from ninja import NinjaAPI
    from shop_notify.api import problems

    api = NinjaAPI(urls_namespace="notify-tests")
    api.add_router("/notifications/", "shop_notify.api.router")
    api.add_router("/notifications/staff/", "shop_notify.api.staff_router")
    problems.register(api)
    urlpatterns.append(path("api/", api.urls))
