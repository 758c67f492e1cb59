"""Statements that the pages need and the packages do not have."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, QuerySet
from shop_catalog.models import Category, Review
from shop_core.db.compiled import CompiledQuery


class ReviewShown(NamedTuple):
    """A published review with the name of its author."""

    rating: int
    title: str
    body: str
    reply: str
    is_verified_purchase: bool
    created_at: datetime
    first_name: str
    last_name: str

    @property
    def author_name(self) -> str:
        """First name and initial, as ``Review.author_name``."""
        return f"{self.first_name} {self.last_name[0]}.".strip() if self.last_name else self.first_name


class RatingCount(NamedTuple):
    rating: int
    number: int


class Description(NamedTuple):
    text: str


def newest_reviews(product_id: int, *, limit: int) -> list[ReviewShown]:
    return _REVIEWS.rows(limit, product=product_id)


def rating_counts(product_id: int) -> dict[int, int]:
    """The number of published reviews by number of stars."""
    return {row.rating: row.number for row in _RATINGS.rows(product=product_id)}


def category_description(category_id: int) -> str:
    row = _DESCRIPTION.first(category=category_id)
    return row.text if row is not None else ""


def _published(p: Any) -> QuerySet[Review]:
    field = Review._meta.get_field("id")
    rows: QuerySet[Review] = Review.objects.published().filter(product_id=p("product", field))
    return rows


def _build_reviews(p: Any, limit: int) -> QuerySet[Any, Any]:
    columns = ("rating", "title", "body", "reply", "is_verified_purchase", "created_at")
    rows: QuerySet[Any, Any] = _published(p).values_list(*columns, "author__first_name", "author__last_name")
    return rows[:limit]


def _build_ratings(p: Any) -> QuerySet[Any, Any]:
    counted = _published(p).order_by().values("rating").annotate(number=Count("pk"))
    rows: QuerySet[Any, Any] = counted.values_list("rating", "number")
    return rows


def _build_description(p: Any) -> QuerySet[Any, Any]:
    field = Category._meta.get_field("id")
    rows: QuerySet[Any, Any] = Category.objects.order_by().filter(pk=p("category", field)).values_list("description")
    return rows


_REVIEWS = CompiledQuery(Review, _build_reviews, row=ReviewShown, reads=True)
_RATINGS = CompiledQuery(Review, _build_ratings, row=RatingCount, reads=True)
_DESCRIPTION = CompiledQuery(Category, _build_description, row=Description, reads=True)
