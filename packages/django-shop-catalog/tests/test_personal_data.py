"""Exporting and erasing the reviews of a person."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from shop_catalog import personal_data, products, reviews
from shop_catalog.models import Review

pytestmark = pytest.mark.django_db


@pytest.fixture
def written(django_user_model, settings):
    settings.SHOP_CATALOG = {**getattr(settings, "SHOP_CATALOG", {}), "CURRENCY": "KES"}
    ann, bob = (django_user_model.objects.create_user(username=name) for name in ("ann", "bob"))
    product = products.create(sku="MUG", name="Mug", price=Decimal(10))
    own = reviews.submit(product, user=ann, rating=5, title="Ann's pride", body="I live in Court 1.")
    other = reviews.submit(product, user=bob, rating=2, title="Poor")
    for review in (own, other):
        reviews.moderate(review, status="published")
    return ann, own, other


def test_export_has_the_reviews_of_the_person(written):
    ann, own, _other = written

    found = personal_data.export_personal_data({"user": str(ann.pk)})

    assert [(row["rating"], row["title"], row["body"]) for row in found["reviews"]] == [(5, own.title, own.body)]


def test_reviews_are_deleted_and_the_rating_follows(written):
    ann, own, other = written
    kind = ContentType.objects.get_for_model(Review)
    LogEntry.objects.create(
        user=ann, content_type=kind, object_id=str(own.pk), object_repr=str(own), action_flag=CHANGE
    )

    for _again in range(2):
        assert personal_data.erase_personal_data({"user": str(ann.pk)}) == []

    assert list(Review.objects.all()) == [other]
    product = other.product
    product.refresh_from_db()
    assert (product.rating_count, product.rating_average) == (1, 2)
    assert LogEntry.objects.get().object_repr == ""


@pytest.mark.parametrize("person", [{}, {"user": ""}, {"user": "no-key"}, {"user": "999999"}])
def test_nobody_else_is_erased(written, person):
    assert personal_data.erase_personal_data(person) == []
    assert personal_data.export_personal_data(person) == {"reviews": []}
    assert Review.objects.count() == 2
