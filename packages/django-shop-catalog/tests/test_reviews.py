"""Reviews: one per customer and product, moderation, exact figures, and what guests can see."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from conftest import Api
from django.core.cache import cache
from django.db import connections
from shop_catalog import products, reviews, signals
from shop_catalog.exceptions import InvalidProduct, ReviewExists
from shop_catalog.models import Product, Review

pytestmark = pytest.mark.django_db
BOUGHT = []


def has_bought(user, refs):
    return bool(set(refs) & set(BOUGHT))


@pytest.fixture
def apple():
    return products.create("A", name="Apple", price=Decimal(1))


def figures(sku="A"):
    return Product.objects.values_list("rating_average", "rating_count").get(sku=sku)


def test_moderated_review_counts_only_after_publication(apple, customer):
    review = reviews.submit(apple, user=customer, rating=4, title="Good")
    assert (review.status, figures()) == ("pending", (Decimal(0), 0))
    reviews.moderate(review, status="published")
    assert figures() == (Decimal(4), 1)
    reviews.moderate(review, status="rejected")
    assert figures() == (Decimal(0), 0)


def test_review_is_published_at_once_without_moderation(apple, customer, settings):
    settings.SHOP_CATALOG = {"CURRENCY": "KES", "MODERATE_REVIEWS": False}
    reviews.submit(apple, user=customer, rating=5)
    assert figures() == (Decimal(5), 1)


def test_second_review_of_a_product_is_refused(apple, customer):
    reviews.submit(apple, user=customer, rating=4)
    with pytest.raises(ReviewExists):
        reviews.submit(apple, user=customer, rating=5)
    assert Review.objects.count() == 1


@pytest.mark.parametrize("rating", [0, 6, -1])
def test_rating_is_one_to_five(apple, customer, rating):
    with pytest.raises(InvalidProduct):
        reviews.submit(apple, user=customer, rating=rating)
    assert Review.objects.count() == 0


def test_changed_review_is_pending_again_and_deleted_one_is_not_counted(apple, customer, make_user):
    first = reviews.submit(apple, user=customer, rating=4)
    second = reviews.submit(apple, user=make_user("other"), rating=1)
    for review in (first, second):
        reviews.moderate(review, status="published")
    assert figures() == (Decimal("2.50"), 2)
    reviews.change(first, rating=5)
    assert figures() == (Decimal(1), 1)
    reviews.delete(second)
    assert figures() == (Decimal(0), 0)


def test_review_of_a_variant_is_stored_for_its_group(customer):
    group = products.create("S", name="Shirt", kind="group")
    variant = products.create("S-L", kind="variant", parent=group, price=Decimal(1))
    review = reviews.submit(variant, user=customer, rating=3)
    assert review.product == group


def test_hook_decides_if_a_review_is_a_verified_purchase(apple, customer, make_user, settings):
    settings.SHOP_CATALOG = {"CURRENCY": "KES", "VERIFIED_PURCHASE": "test_reviews.has_bought"}
    assert not reviews.submit(apple, user=customer, rating=3).is_verified_purchase
    BOUGHT.append("A")
    try:
        assert reviews.submit(apple, user=make_user("buyer"), rating=3).is_verified_purchase
    finally:
        BOUGHT.clear()


@pytest.mark.django_db(transaction=True)
def test_rating_is_exact_after_concurrent_moderation(apple, make_user):
    users = [make_user(f"user{number}") for number in range(12)]
    waiting = [reviews.submit(apple, user=user, rating=number % 5 + 1) for number, user in enumerate(users)]

    def publish(review):
        try:
            reviews.moderate(review, status="published")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(publish, waiting))
    ratings = [review.rating for review in waiting]
    assert figures() == (Decimal(sum(ratings) / 12).quantize(Decimal("0.01")), 12)


@pytest.mark.django_db(transaction=True)
def test_submitted_review_is_announced(apple, customer):
    heard = []

    def receive_signal(*, review, payload, event_id, **_kwargs):
        heard.append((payload["review"]["rating"], payload["product"]["sku"], payload["review"]["status"]))

    signals.review_submitted.connect(receive_signal)
    try:
        reviews.submit(apple, user=customer, rating=3)
    finally:
        signals.review_submitted.disconnect(receive_signal)
    assert heard == [(3, "A", "pending")]


def test_guests_see_published_reviews_with_first_name_and_initial(apple, customer, customer_api, staff_api, anyone):
    made = customer_api.post("/reviews/", {"product": "apple", "rating": 4, "title": "Good"})
    assert made.status_code == 201
    body = made.json()
    assert (body["author"], body["status"], body["is_mine"]) == ("Test C.", "pending", True)
    assert anyone.get("/reviews/", product="apple").json()["items"] == []
    assert len(customer_api.get("/reviews/", product="apple").json()["items"]) == 1
    url = f"/reviews/{body['id']}/"
    assert staff_api.patch(url, {"status": "published", "reply": "Thank you"}).status_code == 200
    seen = anyone.get("/reviews/", product="apple").json()["items"]
    assert (seen[0]["reply"], seen[0]["is_mine"], seen[0]["author"]) == ("Thank you", False, "Test C.")
    assert not {"email", "user", "author_id"} & seen[0].keys()


def test_only_author_and_staff_can_change_a_review(apple, customer_api, make_user, staff_api, anyone):
    url = f"/reviews/{customer_api.post('/reviews/', {'product': 'apple', 'rating': 4}).json()['id']}/"
    other = Api(make_user("other"))
    assert anyone.patch(url, {"rating": 1}).status_code == 401
    assert other.patch(url, {"rating": 1}).status_code == 404
    assert other.delete(url).status_code == 404
    assert customer_api.patch(url, {"status": "published"}).status_code == 403
    assert staff_api.patch(url, {"rating": 1}).status_code == 403
    assert customer_api.patch(url, {"rating": 2, "body": "Less good"}).json()["rating"] == 2
    assert customer_api.delete(url).status_code == 204
    assert Review.objects.count() == 0


def test_only_customers_can_write_a_review(apple, anyone, make_user):
    payload = {"product": "apple", "rating": 4}
    assert anyone.post("/reviews/", payload).status_code == 401
    assert Api(make_user("idle", is_staff=True)).post("/reviews/", payload).status_code == 403
    assert Api(make_user("busy", "add_review", is_staff=True)).post("/reviews/", payload).status_code == 201
    assert Api(make_user("buyer")).post("/reviews/", payload).status_code == 201


def test_second_review_through_the_api_is_409(apple, customer_api):
    payload = {"product": "apple", "rating": 4}
    assert customer_api.post("/reviews/", payload).status_code == 201
    response = customer_api.post("/reviews/", payload)
    assert (response.status_code, response.json()["code"]) == (409, "review_exists")


def test_reviews_are_paged_by_cursor(apple, make_user, anyone):
    for number in range(7):
        review = reviews.submit(apple, user=make_user(f"u{number}"), rating=3, title=str(number))
        reviews.moderate(review, status="published")
    titles, cursor = [], ""
    while cursor is not None:
        page = anyone.get("/reviews/", product="apple", limit=3, cursor=cursor).json()
        titles += [item["title"] for item in page["items"]]
        cursor = page["next"]
    assert titles == ["6", "5", "4", "3", "2", "1", "0"]


def test_reviews_of_a_customer_are_limited_and_staff_are_not(apple, customer, staff, settings):
    cache.clear()
    settings.SHOP_CATALOG = {**settings.SHOP_CATALOG, "THROTTLES": {"reviews": "2/d"}}
    api = Api(customer)
    written = api.post("/reviews/", {"product": "apple", "rating": 4})
    assert written.status_code == 201
    path = f"/reviews/{written.json()['id']}/"
    assert api.patch(path, {"rating": 3}).status_code == 200
    refused = api.patch(path, {"rating": 2})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert 1 <= int(refused["Retry-After"]) <= 86400
    assert api.post("/reviews/", {"product": "apple", "rating": 4}).status_code == 429
    assert Review.objects.get().rating == 3
    for _time in range(4):
        assert Api(staff).patch(path, {"status": "published"}).status_code == 200
