"""Tables of the catalogue."""

from shop_catalog.models.category import Category
from shop_catalog.models.facet_change import FacetChange
from shop_catalog.models.facets import FacetCount, FacetValue, ProductTerms
from shop_catalog.models.gate import CategoryTreeVersion, write_gate
from shop_catalog.models.image import ProductImage
from shop_catalog.models.image_fetch import ImageFetch
from shop_catalog.models.job import JobRun
from shop_catalog.models.product import PriceChange, Product, ProductCategory, ProductKind
from shop_catalog.models.product_upload import ProductUpload
from shop_catalog.models.review import Review, ReviewStatus
from shop_catalog.models.search import SearchSpelling, SearchWord
from shop_catalog.models.sent_form import SentForm
from shop_catalog.models.statistics import CategoryStatistics
from shop_catalog.models.statistics_change import StatisticsChange
from shop_catalog.models.stock import Crossing, MovementKind, StockMovement

__all__ = [
    "Category",
    "CategoryStatistics",
    "CategoryTreeVersion",
    "Crossing",
    "FacetChange",
    "FacetCount",
    "FacetValue",
    "ImageFetch",
    "JobRun",
    "MovementKind",
    "PriceChange",
    "Product",
    "ProductCategory",
    "ProductImage",
    "ProductKind",
    "ProductTerms",
    "ProductUpload",
    "Review",
    "ReviewStatus",
    "SearchSpelling",
    "SearchWord",
    "SentForm",
    "StatisticsChange",
    "StockMovement",
    "write_gate",
]
