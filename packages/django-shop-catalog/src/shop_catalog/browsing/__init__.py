"""Reading the catalogue: lists of products with filters and facets, one product's page, suggestions while typing."""

from shop_catalog.browsing.facets import Facets, PriceBand, count_facets
from shop_catalog.browsing.filters import ORDERINGS, Filters, attribute_from_text, attribute_to_text
from shop_catalog.browsing.listing import (
    Page,
    categories_of,
    count_products,
    list_products,
    place_from_cursor,
    place_to_cursor,
)
from shop_catalog.browsing.product_page import ProductPage, find_product
from shop_catalog.browsing.queries import Image, ListedProduct, Place, ProductDetails, Variant
from shop_catalog.browsing.suggestions import Suggestions, suggest

__all__ = [
    "ORDERINGS",
    "Facets",
    "Filters",
    "Image",
    "ListedProduct",
    "Page",
    "Place",
    "PriceBand",
    "ProductDetails",
    "ProductPage",
    "Suggestions",
    "Variant",
    "attribute_from_text",
    "attribute_to_text",
    "categories_of",
    "count_facets",
    "count_products",
    "find_product",
    "list_products",
    "place_from_cursor",
    "place_to_cursor",
    "suggest",
]
