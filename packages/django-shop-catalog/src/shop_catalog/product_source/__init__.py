"""The catalogue as a source of products for a cart, an order or a point of sale.

The class has the methods that ``shop_orders`` calls, and imports nothing from it.
"""

from shop_catalog.product_source.catalog_products import CatalogProduct, CatalogProductSource

__all__ = ["CatalogProduct", "CatalogProductSource"]
