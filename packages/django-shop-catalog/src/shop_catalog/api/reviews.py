"""Reviews: anyone can read published ones, customers can write their own, staff can moderate."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Schema
from ninja.errors import HttpError
from ninja.responses import Status
from pydantic import Field
from shop_core.api.auth import OPTIONAL_SECURITY
from shop_core.api.problems import responses
from shop_core.api.types import In, ShortText, Text, Time
from shop_core.exceptions import NotAuthenticated

from shop_catalog import cursors, reviews
from shop_catalog.api import auth
from shop_catalog.api.products import Paging, by_slug
from shop_catalog.api.routers import router
from shop_catalog.exceptions import UnknownProduct, UnknownReview
from shop_catalog.models import Review
from shop_catalog.types import UNSET, Slug, given


class ReviewOut(Schema):
    id: UUID
    product: str = Field(description="The product's slug.")
    author: str = Field(description="First name and initial.")
    rating: int
    title: str
    body: str
    status: Literal["pending", "published", "rejected"]
    verified_purchase: bool
    reply: str
    created_at: Time
    is_mine: bool


class ReviewPage(Schema):
    items: list[ReviewOut]
    next: str | None


class ReviewFilters(Paging):
    product: Slug | None = Field(
        None, description="The slug of a product; for a variant, the reviews of its group are listed."
    )
    status: Literal["pending", "published", "rejected"] | None = Field(
        None, description="Staff see reviews of every status; others see published reviews and their own."
    )


class ReviewIn(In):
    product: Slug
    rating: int = Field(strict=True, ge=1, le=5)
    title: ShortText = ""
    body: Text = ""


class ReviewPatch(In):
    """The author can change rating, title and body; staff can change status and reply."""

    rating: int = Field(UNSET, strict=True, ge=1, le=5)
    title: ShortText = UNSET
    body: Text = UNSET
    status: Literal["published", "rejected"] = UNSET
    reply: Text = UNSET


@router.get(
    "/reviews/",
    auth=auth.optional,
    response={200: ReviewPage, 304: None, **responses(401, 404)},
    operation_id="list_reviews",
    summary="List reviews, newest first",
    openapi_extra=OPTIONAL_SECURITY,
)
def list_reviews(request: HttpRequest, filters: Query[ReviewFilters]) -> Any:
    rows = _visible(request)
    if filters.product:
        rows = rows.filter(product=_product(filters.product).listed)
    if filters.status:
        rows = rows.filter(status=filters.status)
    if filters.cursor:
        created_at, pk = cursors.decode(filters.cursor, of="reviews")
        moment = datetime.fromisoformat(created_at)
        rows = rows.filter(Q(created_at__lt=moment) | Q(created_at=moment, pk__lt=pk))
    page = list(rows.select_related("product", "author")[: filters.limit + 1])
    more = len(page) > filters.limit
    page = page[: filters.limit]
    return {
        "items": [_out(request, review) for review in page],
        "next": cursors.encode([page[-1].created_at.isoformat(), page[-1].pk], of="reviews") if more else None,
    }


@router.post(
    "/reviews/",
    auth=auth.required,
    response={201: ReviewOut, **responses(401, 403, 404, 409)},
    operation_id="create_review",
    summary="Review a product",
)
def create_review(request: HttpRequest, payload: ReviewIn) -> Any:
    user = getattr(request, "user", None)
    if user is None or not user.is_active:
        raise NotAuthenticated
    if getattr(user, "is_staff", False) and not user.has_perm("shop_catalog.add_review"):
        raise HttpError(403, _("This account cannot write reviews."))
    reviews.limit(user)
    review = reviews.submit(
        _product(payload.product),
        user=user,
        rating=payload.rating,
        title=payload.title,
        body=payload.body,
    )
    return Status(201, _out(request, reviews.get(review.public_id)))


@router.patch(
    "/reviews/{id}/",
    auth=auth.required,
    response={200: ReviewOut, **responses(401, 403, 404)},
    operation_id="update_review",
    summary="Change your own review, or moderate or reply as staff",
)
def update_review(request: HttpRequest, id: UUID, payload: ReviewPatch) -> Any:  # noqa: A002
    review = _own_or_permitted(request, id, "shop_catalog.change_review")
    values = given(payload)
    text = {name: values.pop(name) for name in ("rating", "title", "body") if name in values}
    if text and not _is_mine(request, review):
        raise HttpError(403, _("Only its author can change the text of a review."))
    if values:
        auth.check_staff(request, "shop_catalog.change_review")
    if text:
        reviews.limit(request.user)
        review = reviews.change(review, **text)
    if "status" in values:
        review = reviews.moderate(review, status=values["status"])
    if "reply" in values:
        review = reviews.reply(review, text=values["reply"])
    return _out(request, reviews.get(review.public_id))


@router.delete(
    "/reviews/{id}/",
    auth=auth.required,
    response={204: None, **responses(401, 403, 404)},
    operation_id="delete_review",
    summary="Delete your own review, or any review as staff",
)
def delete_review(request: HttpRequest, id: UUID) -> Any:  # noqa: A002
    reviews.delete(_own_or_permitted(request, id, "shop_catalog.delete_review"))
    return Status(204, None)


def _visible(request: HttpRequest) -> Any:
    """All reviews for staff, for others the published ones and their own."""
    rows = Review.objects.all()
    if auth.is_staff(request, "shop_catalog.view_review"):
        return rows
    user = getattr(request, "user", None)
    own = Q(author_id=user.pk) if user is not None and user.is_authenticated else Q(pk__in=[])
    return rows.filter(Q(status="published") | own)


def _own_or_permitted(request: HttpRequest, public_id: UUID, permission: str) -> Review:
    review = reviews.get(public_id)
    if not _is_mine(request, review) and not auth.is_staff(request, permission):
        raise UnknownReview(_("There is no such review."))
    return review


def _product(slug: str) -> Any:
    product = by_slug(slug)
    if not product.is_published:
        raise UnknownProduct(_("There is no product %(slug)s.") % {"slug": slug})
    return product


def _is_mine(request: HttpRequest, review: Review) -> bool:
    user = getattr(request, "user", None)
    return user is not None and user.is_authenticated and review.author_id == user.pk


def _out(request: HttpRequest, review: Review) -> dict[str, Any]:
    return {
        "id": review.public_id,
        "product": review.product.slug,
        "author": review.author_name,
        "rating": review.rating,
        "title": review.title,
        "body": review.body,
        "status": review.status,
        "verified_purchase": review.is_verified_purchase,
        "reply": review.reply,
        "created_at": review.created_at,
        "is_mine": _is_mine(request, review),
    }
