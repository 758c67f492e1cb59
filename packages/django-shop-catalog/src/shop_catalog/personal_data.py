"""Personal data: the reviews of a person, as plain data, and their erasure.

A person is a mapping of plain values, of which this package reads ``user``, the primary key as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from shop_core import admin_log

from shop_catalog import reviews
from shop_catalog.exceptions import UnknownProduct
from shop_catalog.models import Review

Person = Mapping[str, Any]


def export_personal_data(person: Person) -> dict[str, Any]:
    """The person's reviews. Times in ISO 8601."""
    return {
        "reviews": [
            {
                "product": review.product.sku or review.product.slug,
                "rating": review.rating,
                "title": review.title,
                "body": review.body,
                "status": review.status,
                "reply": review.reply,
                "created_at": review.created_at.astimezone(UTC).isoformat(),
            }
            for review in _reviews(person).select_related("product").order_by("pk")
        ]
    }


def erase_personal_data(person: Person) -> list[dict[str, str]]:
    """Delete the person's reviews with their replies, and update the ratings. Returns an empty list.

    A review is the person's own text under their name, so it is deleted, not kept without a name. A second call
    changes nothing.

    Raises:
        Busy: the database refused a transaction twice.
    """
    for review in _reviews(person).order_by("pk"):
        try:
            reviews.delete(review)
        except UnknownProduct:
            continue  # the review was deleted with its product
        admin_log.erase([review])
    return []


def _reviews(person: Person) -> QuerySet[Review]:
    try:
        return Review.objects.filter(author=person.get("user") or None)
    except (ValidationError, ValueError):
        return Review.objects.none()  # the user model has primary keys of another type
