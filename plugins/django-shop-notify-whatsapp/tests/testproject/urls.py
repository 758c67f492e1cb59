from django.urls import include, path

urlpatterns = [path("notify/", include("shop_notify.urls"))]
