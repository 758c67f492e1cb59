"""Pages of the shop. Those of the package follow (config/urls.py); a path of the same form here replaces one."""

from django.contrib.sitemaps import views as sitemap_views
from django.urls import path

from storefront.sitemaps import SITEMAPS, robots
from storefront.views import account, cart, catalogue, checkout, orders, personal_data, visitor

app_name = "storefront"
urlpatterns = [
    path("", catalogue.home, name="home"),
    path("categories/", catalogue.categories, name="categories"),
    path("category/<slug:slug>/", catalogue.category, name="category"),
    path("search/", catalogue.search, name="search"),
    path("search/suggestions/", catalogue.suggestions, name="suggestions"),
    path("product/<slug:slug>/", catalogue.product, name="product"),
    path("product/<slug:slug>/reviews/", catalogue.reviews, name="reviews"),
    path("product/<slug:slug>/review/", catalogue.review, name="review"),
    path("visitor/", visitor.tools, name="visitor"),
    path("language/<str:language>/", visitor.language, name="language"),
    path("cart/add/", cart.add),
    path("checkout/", checkout.EnterDetails.as_view()),
    path("checkout/review/", checkout.ReviewOrder.as_view()),
    path("orders/", orders.FindOrder.as_view()),
    path("orders/<str:number>/", orders.ShowOrder.as_view()),
    path("orders/<str:number>/thanks/", orders.Thanks.as_view()),
    path("orders/<str:number>/waiting/", orders.Waiting.as_view(), name="order_waiting"),
    path("account/", account.overview, name="account"),
    path("account/orders/", account.orders, name="account_orders"),
    path("account/profile/", account.profile, name="account_profile"),
    path("account/addresses/", account.addresses, name="account_addresses"),
    path("account/addresses/new/", account.address, name="account_address_new"),
    path("account/addresses/<uuid:public_id>/", account.address, name="account_address"),
    path("account/addresses/<uuid:public_id>/delete/", account.delete_address, name="account_address_delete"),
    path("account/addresses/<uuid:public_id>/default/", account.default_address, name="account_address_default"),
    path("account/messages/", account.messages_wanted, name="account_messages"),
    path("account/data/", personal_data.show, name="account_data"),
    path("account/data/export/", personal_data.export, name="account_data_export"),
    path("account/data/delete/", personal_data.delete, name="account_delete"),
    path("robots.txt", robots, name="robots"),
    path(
        "sitemap.xml",
        sitemap_views.index,
        {"sitemaps": SITEMAPS, "sitemap_url_name": "storefront:sitemap_section"},
        name="sitemap",
    ),
    path("sitemap-<slug:section>.xml", sitemap_views.sitemap, {"sitemaps": SITEMAPS}, name="sitemap_section"),
]
