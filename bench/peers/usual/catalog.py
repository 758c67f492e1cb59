"""The usual way: schemas over prefetched instances, COUNT and OFFSET, the tree and the average by the ORM."""

from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, Max, Min, Q
from django.urls import path
from django.utils import timezone
from ninja import NinjaAPI, Schema
from ninja.pagination import PageNumberPagination, paginate
from shop_catalog.models import Category, Product

api = NinjaAPI(docs_url=None, openapi_url=None, urls_namespace="naive")


class Link(Schema):
    slug: str
    name: str


class Image(Schema):
    url: str
    alt: str

    @staticmethod
    def resolve_url(image: Any) -> str:
        return str(image.rendition_url("card"))


class Item(Schema):
    sku: str
    slug: str
    name: str
    kind: str
    price: Decimal
    compare_at_price: Decimal | None
    is_featured: bool
    in_stock: bool
    rating_average: Decimal
    rating_count: int
    image: Image | None
    categories: list[Link]

    @staticmethod
    def resolve_in_stock(product: Any) -> bool:
        return bool(product.available_quantity > 0)

    @staticmethod
    def resolve_image(product: Any) -> Any:
        return next((image for image in product.images.all() if image.is_primary), None)


class DetailImage(Schema):
    public_id: Any
    url: str
    alt: str
    width: int
    height: int
    is_primary: bool


class Detail(Item):
    description: str
    attributes: dict[str, Any]
    options: dict[str, Any]
    tax_class: str
    images: list[DetailImage]
    breadcrumbs: list[list[Link]]

    @staticmethod
    def resolve_breadcrumbs(product: Any) -> Any:
        return [list(category.get_ancestors(include_self=True)) for category in product.categories.all()]


class Node(Schema):
    name: str
    slug: str
    level: int
    children: list["Node"]

    @staticmethod
    def resolve_children(node: Any) -> Any:
        return list(getattr(node, "_obj", node).get_children())


def published() -> Any:
    now = timezone.now()
    window = (Q(publish_from=None) | Q(publish_from__lte=now)) & (Q(publish_until=None) | Q(publish_until__gt=now))
    return Product.objects.filter(window, is_active=True, parent=None)


@api.get("/products/products/", response=list[Item])
@paginate(PageNumberPagination, page_size=20)
def list_products(request: Any, category: str = "", q: str = "") -> Any:
    products = published().filter(price__isnull=False)
    if category:
        below = Category.objects.get(slug=category).get_descendants(include_self=True)
        products = products.filter(categories__in=below).distinct()
    if q:
        for word in q.split():
            products = products.filter(Q(name__icontains=word) | Q(description__icontains=word))
    return products.order_by("-created_at", "-pk").prefetch_related("categories", "images")


@api.get("/products/products/{slug}/", response=Detail)
def get_product(request: Any, slug: str) -> Any:
    return published().prefetch_related("categories", "images").get(slug=slug)


@api.get("/products/categories/tree/", response=list[Node])
def get_tree(request: Any) -> Any:
    return Category.objects.all().get_cached_trees()


@api.get("/products/categories/{slug}/average_price/")
def average(request: Any, slug: str) -> Any:
    below = Category.objects.get(slug=slug).get_descendants(include_self=True)
    ids = published().filter(categories__in=below).distinct().values("pk")
    return Product.objects.filter(pk__in=ids).aggregate(
        count=Count("pk"), average=Avg("price"), min=Min("price"), max=Max("price")
    )


urlpatterns = [path("", api.urls)]
