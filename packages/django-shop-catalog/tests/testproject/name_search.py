"""The smallest search backend: names that contain the text."""

from django.db.models import IntegerField, Value
from shop_catalog.search import SearchBackend


class NameSearch(SearchBackend):
    def search(self, products, text):
        return products.filter(name__icontains=text).annotate(relevance=Value(0, output_field=IntegerField()))
