"""Actions on reviews: submit, change, moderate, reply, delete. Each updates the product's average and count."""

from __future__ import annotations

import uuid
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from shop_core import limits
from shop_core.db.transactions import connection_of, in_transaction
from shop_core.exceptions import TooManyRequests
from shop_core.hooks import load_hook

from shop_catalog import facets, signals
from shop_catalog.conf import app_settings
from shop_catalog.exceptions import InvalidProduct, ReviewExists, TooManyReviews, UnknownProduct, UnknownReview
from shop_catalog.models import Product, Review, ReviewStatus, texts

THROTTLED = ("reviews",)
"""The kinds of requests that THROTTLES can limit."""


def limit(user: Any) -> None:
    """Count a request of a user against ``THROTTLES["reviews"]``. Call it before the work, for customers only.

    Raises:
        TooManyReviews: the limit is used up.
    """
    try:
        limits.check("shop_catalog.reviews", app_settings.THROTTLES.get("reviews", ""), f"user {user.pk}")
    except TooManyRequests as error:
        raise TooManyReviews(**error.extra) from None


def submit(product: Product, *, user: AbstractBaseUser, rating: int, title: str = "", body: str = "") -> Review:
    """Write a review of a product; the review of a variant goes to its group.

    If reviews are moderated, staff must publish it.

    Raises:
        ReviewExists: this user has already reviewed the product.
        InvalidProduct: the rating is not 1 to 5, or a text is too long or has a character that cannot be stored.
    """
    _check_rating(rating)
    texts.check(Review, title=title, body=body)
    is_verified = _has_bought(user, product.listed)  # before any lock, since it calls a hook of the site
    return _submit(
        product.listed.pk, author_id=user.pk, rating=rating, title=title, body=body, is_verified_purchase=is_verified
    )


@in_transaction(Review)
def _submit(product_id: int, *, author_id: Any, **values: Any) -> Review:
    product = _lock(product_id)
    if Review.objects.filter(product=product, author_id=author_id).exists():
        raise ReviewExists(_("You have reviewed this product already. Change your review instead."))
    review = Review.objects.create(product=product, author_id=author_id, status=_first_status(), **values)
    _update_rating(product_id)
    _announce_on_commit(review)
    return review


@in_transaction(Review)
def change(review: Review, *, rating: int | None = None, title: str | None = None, body: str | None = None) -> Review:
    """Change the rating or the text of a review. If reviews are moderated, staff must publish it again."""
    if rating is not None:
        _check_rating(rating)
    given: dict[str, Any] = {"rating": rating, "title": title, "body": body}
    texts.check(Review, **given)
    _lock(review.product_id)
    review = get(review.public_id)
    for name, value in given.items():
        if value is not None:
            setattr(review, name, value)
    review.status = _first_status()
    review.save()
    _update_rating(review.product_id)
    _announce_on_commit(review)
    return review


@in_transaction(Review)
def moderate(review: Review, *, status: str) -> Review:
    """Publish or reject a review.

    Raises:
        InvalidProduct: the status is not one of ``ReviewStatus``.
    """
    if status not in ReviewStatus.values:
        raise InvalidProduct(_("The status must be pending, published or rejected."), field="status")
    _lock(review.product_id)
    review = get(review.public_id)
    review.status = ReviewStatus(status)
    review.save(update_fields=["status", "updated_at"])
    _update_rating(review.product_id)
    return review


def reply(review: Review, *, text: str) -> Review:
    """Reply to a review in the shop's name; an empty text removes the reply."""
    texts.check(Review, reply=text)
    review.reply = text
    review.replied_at = timezone.now() if text else None
    review.save(update_fields=["reply", "replied_at", "updated_at"])
    return review


@in_transaction(Review)
def delete(review: Review) -> None:
    """Delete a review and update the rating of its product, whose row is locked. A second call changes nothing."""
    _lock(review.product_id)
    Review.objects.filter(pk=review.pk).delete()
    _update_rating(review.product_id)


def get(public_id: uuid.UUID) -> Review:
    """The review with this id, in any status, with its product and author. One query, no lock.

    Raises:
        UnknownReview: no review has this id.
    """
    review: Review | None = Review.objects.select_related("product", "author").filter(public_id=public_id).first()
    if review is None:
        raise UnknownReview(_("There is no such review."))
    return review


def _lock(product_id: int) -> Product:
    """Lock the product, so that its reviews are changed one at a time.

    Raises:
        UnknownProduct: it was deleted in the meantime.
    """
    product = Product.objects.select_for_update().filter(pk=product_id).first()
    if product is None:
        raise UnknownProduct(_("The product was deleted in the meantime."))
    return product


def _update_rating(product_id: int) -> None:
    """Recompute the number and the average of a locked product's published reviews."""
    published = Review.objects.filter(product=product_id).published()
    figures = published.aggregate(count=Count("pk"), total=Sum("rating"))
    average = Decimal(figures["total"] or 0) / (figures["count"] or 1)
    Product.objects.filter(pk=product_id).update(
        rating_count=figures["count"], rating_average=average.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    )
    facets.refresh([product_id])


def _check_rating(rating: int) -> None:
    if not 1 <= rating <= 5:
        raise InvalidProduct(_("The rating must be from 1 to 5."), field="rating")


def _first_status() -> ReviewStatus:
    return ReviewStatus.PENDING if app_settings.MODERATE_REVIEWS else ReviewStatus.PUBLISHED


def _has_bought(user: AbstractBaseUser, listed: Product) -> bool:
    """Call the site's hook with the SKUs of the product and its variants."""
    path = app_settings.VERIFIED_PURCHASE
    if not path:
        return False
    refs = [listed.sku, *listed.variants.values_list("sku", flat=True)]
    return bool(load_hook(path)(user, refs))


def _announce_on_commit(review: Review) -> None:
    using, event_id = connection_of(Review).alias, uuid.uuid4()
    transaction.on_commit(lambda: _announce(review, event_id), using=using, robust=True)


def _announce(review: Review, event_id: uuid.UUID) -> None:
    product = review.product
    payload = {
        "version": 1,
        "review": {
            "id": str(review.public_id),
            "rating": review.rating,
            "title": review.title,
            "status": str(review.status),
        },
        "product": {"sku": product.sku, "name": product.name, "slug": product.slug},
        "notify": True,
        "recipients": {},
    }
    signals.review_submitted.send_robust(sender=Review, review=review, payload=payload, event_id=str(event_id))
