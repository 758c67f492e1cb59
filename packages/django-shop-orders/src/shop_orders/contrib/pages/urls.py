"""The URLs of the pages. Include them anywhere: ``path("shop/", include("shop_orders.contrib.pages.urls"))``.

A path of the site before the ``include`` replaces the view of a page.
"""

from django.urls import path

from shop_orders.contrib.pages.views import cart, checkout, orders, paying

app_name = "shop_orders_pages"

urlpatterns = [
    path("cart/", cart.ShowCart.as_view(), name="cart"),
    path("cart/add/", cart.AddToCart.as_view(), name="cart_add"),
    path("cart/change/", cart.ChangeCart.as_view(), name="cart_change"),
    path("cart/clear/", cart.ClearCart.as_view(), name="cart_clear"),
    path("checkout/", checkout.EnterDetails.as_view(), name="checkout"),
    path("checkout/review/", checkout.ReviewOrder.as_view(), name="checkout_review"),
    path("checkout/place/", checkout.PlaceOrder.as_view(), name="checkout_place"),
    path("orders/", orders.FindOrder.as_view(), name="orders"),
    path("orders/<str:number>/", orders.ShowOrder.as_view(), name="order"),
    path("orders/<str:number>/thanks/", orders.Thanks.as_view(), name="order_thanks"),
    path("orders/<str:number>/pay/", paying.PayOrder.as_view(), name="order_pay"),
    path("orders/<str:number>/cancel/", orders.CancelOrder.as_view(), name="order_cancel"),
]
