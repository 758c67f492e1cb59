from django.urls import path

from bakery import views

urlpatterns = [
    path("cart/", views.cart, name="cart"),
    path("add/", views.add),
    path("order/", views.order),
    path("orders/<str:number>/", views.order_page),
    path("orders/<str:number>/cancel/", views.cancel),
    path("to-bake/", views.to_bake),
]
