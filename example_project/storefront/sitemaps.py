"""The sitemap and robots.txt: search engines may index home, categories and products."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from shop_catalog import categories
from shop_catalog.models import Product

PRIVATE = (
    *("storefront:account", "storefront:search", "storefront:visitor"),
    *("shop_orders_pages:cart", "shop_orders_pages:checkout", "shop_orders_pages:orders"),
)
"""Pages that are private or have endless variants, such as the search."""
PRIVATE_PATHS = ("/accounts/", "/admin/", "/api/", "/payments/", "/notify/", "/language/")


class PageSitemap(Sitemap):  # type: ignore[type-arg]
    def items(self) -> list[str]:
        return ["storefront:home", "storefront:categories"]

    def location(self, item: str) -> str:
        return reverse(item)


class CategorySitemap(Sitemap):  # type: ignore[type-arg]
    def items(self) -> list[categories.Node]:
        nodes = categories.current_tree().nodes.values()
        return sorted((node for node in nodes if node.is_visible), key=lambda node: node.slug)

    def location(self, item: categories.Node) -> str:
        return reverse("storefront:category", kwargs={"slug": item.slug})


class ProductSitemap(Sitemap):  # type: ignore[type-arg]
    limit = 10_000

    def items(self) -> QuerySet[Product]:
        return Product.objects.published().listed().only("slug", "updated_at", "parent_id").order_by("pk")

    def lastmod(self, item: Product) -> datetime:
        return item.updated_at

    def location(self, item: Product) -> str:
        return reverse("storefront:product", kwargs={"slug": item.slug})


SITEMAPS = {"pages": PageSitemap, "categories": CategorySitemap, "products": ProductSitemap}


@require_safe
@cache_control(max_age=3600, public=True)
def robots(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """``robots.txt`` (RFC 9309)."""
    closed = [*(reverse(name) for name in PRIVATE), *PRIVATE_PATHS]
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in closed), ""]
    lines.append(f"Sitemap: {settings.SITE_URL}{reverse('storefront:sitemap')}")
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
