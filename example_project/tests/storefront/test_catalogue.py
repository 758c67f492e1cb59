from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from django.utils import timezone
from shop_catalog import browsing, categories, facets, inventory, products, reviews
from shop_catalog.models import ProductImage
from storefront.views import catalogue

pytestmark = pytest.mark.django_db


def test_home_shows_what_is_featured_and_what_is_new(visitor, mug):
    products.change(mug, is_featured=True)
    text = visitor.get("/")
    assert text.count("Market mug") == 2
    assert "Our favourites" in text
    assert "KSh\N{NO-BREAK SPACE}950" in text


def test_an_empty_shop_has_a_home(visitor):
    assert "Our favourites" not in visitor.get("/")
    assert visitor.page.status_code == 200


def test_category_shows_its_products_and_its_path(visitor, mug, kitchen):
    cups = categories.create("Cups", parent=kitchen)
    products.create(sku="CUP", name="Espresso cup", price=Decimal(300), categories=[cups])
    assert "Espresso cup" in visitor.get("/category/kitchen/")
    text = visitor.get("/category/cups/")
    assert "Market mug" not in text
    assert '<a href="/category/kitchen/">Kitchen</a>' in text
    assert '<span aria-current="page">Cups</span>' in text


def test_a_category_that_is_deleted_meanwhile_is_not_found(visitor, kitchen, monkeypatch):
    tree = categories.current_tree()
    monkeypatch.setattr(catalogue, "tree_of", lambda _request: tree)
    categories.delete(kitchen)
    visitor.client.raise_request_exception = False
    for query in ("", "?in_stock=1", "?after=x"):
        assert visitor.client.get(f"/category/kitchen/{query}").status_code == 404


HOSTILE = "\"'><script>alert(1)</script>&"


def test_whatever_the_shop_and_customers_type_is_text_on_a_page(visitor, kitchen, user):
    categories.change(kitchen, name=HOSTILE)
    product = products.create(
        sku="MUG", name=HOSTILE, price=Decimal(90), compare_at_price=Decimal(100), categories=[kitchen],
        attributes={HOSTILE: HOSTILE, "colour": HOSTILE}, description=HOSTILE, is_featured=True, slug="mug",
    )  # fmt: skip
    group = products.create(sku="CUP", name="Cup", kind="group", categories=[kitchen], slug="cup")
    products.create(sku=HOSTILE, name="Cup", kind="variant", parent=group, price=Decimal(9), options={"size": HOSTILE})
    inventory.receive({"MUG": 10, HOSTILE: 1}, reference="first")
    picture = ProductImage(product=product, file="products/a.webp", alt=HOSTILE, width=9, height=9, is_primary=True)
    picture.save()
    review = reviews.submit(product, user=user, rating=5, title=HOSTILE, body=HOSTILE)
    reviews.moderate(review, status="published")
    reviews.reply(review, text=HOSTILE)
    facets.fold()
    addresses = [
        "/", "/categories/", "/category/kitchen/", "/search/",
        "/product/mug/", "/product/cup/", "/product/mug/reviews/", "/search/suggestions/?q=alert",
    ]  # fmt: skip
    addresses += [f"/search/?{urlencode({'q': HOSTILE, 'attr': f'colour:{HOSTILE}', 'min_price': HOSTILE})}"]
    for address in addresses:
        text = visitor.get(address)
        assert "alert(1)&lt;/script&gt;" in text, address
        assert "<script>alert" not in text, address
        assert "\"'>" not in text, address


def test_unknown_and_hidden_categories_are_not_found(visitor, kitchen):
    assert visitor.client.get("/category/nothing/").status_code == 404
    categories.change(kitchen, is_active=False)
    assert visitor.client.get("/category/kitchen/").status_code == 404


def test_filters_narrow_and_can_be_taken_off(visitor, mug, shirt):
    text = visitor.get("/category/kitchen/?max_price=1000")
    assert "Market mug" in text
    assert "Acacia shirt" not in text
    assert 'href="/category/kitchen/?"' in text
    assert "Nothing found" in visitor.get("/category/kitchen/?min_price=99999")
    assert "Acacia shirt" not in visitor.get("/category/kitchen/?attr=colour:red")
    assert "Market mug" in visitor.get("/category/kitchen/?attr=colour:red&in_stock=1")


@pytest.mark.parametrize(
    "query",
    [
        "min_price=abc",
        "min_price=NaN",
        "min_price=-5",
        "rating=9",
        "sort=zzz",
        "after=nonsense",
        "attr=x",
    ],
)
def test_invalid_query_parameters_are_ignored(visitor, mug, query):
    assert "Market mug" in visitor.get(f"/category/kitchen/?{query}")
    assert visitor.page.status_code == 200


def test_pages_follow_one_another_without_a_number(visitor, kitchen):
    for number in range(30):
        products.create(sku=f"P{number}", name=f"Plate {number:02}", price=Decimal(10), categories=[kitchen])
    first = visitor.get("/category/kitchen/?sort=name")
    assert "Plate 23" in first
    assert "Plate 24" not in first
    after = first.split("after=")[1].split('"')[0]
    second = visitor.get(f"/category/kitchen/?sort=name&after={after}")
    assert "Plate 23" not in second
    assert "Plate 24" in second
    assert "Plate 29" in second
    assert "Show more" not in second


def test_a_cursor_by_relevance_of_a_list_without_words_shows_the_first_page(visitor, mug):
    place = browsing.Place(timezone.now(), 1)
    cursor = browsing.place_to_cursor(place, ordering="relevance")
    assert "Market mug" in visitor.get(f"/search/?q=mug&after={cursor}")


def test_search_finds_and_says_when_it_does_not(visitor, mug):
    assert "Market mug" in visitor.get("/search/?q=mug")
    text = visitor.get("/search/?q=zzz")
    assert "Nothing found" in text
    assert "Check the spelling" in text
    assert 'id="filters"' not in text
    assert "Results for “&lt;b&gt;”" in visitor.get("/search/?q=<b>")


def test_a_filter_that_leaves_nothing_can_be_taken_off(visitor, mug):
    text = visitor.get("/category/kitchen/?min_price=5000")
    assert "Remove a filter." in text
    assert 'id="filters"' in text


def test_sizes_are_sorted_and_spelled_as_entered(visitor, kitchen):
    for size in ("M", "XL", "42", "9", "S", "wide"):
        products.create(
            sku=size, name=f"Shirt {size}", price=Decimal(10), categories=[kitchen], attributes={"size": size}
        )
    text = visitor.get("/category/kitchen/?attr=size:XL")
    labels = re.findall(r'id="facet-1-\d+".*?<span>([^<]*)</span>', text)
    assert labels == ["S", "M", "XL", "9", "42", "Wide"]
    assert re.findall(r'class="chip" href="[^"]*attr[^"]*">|class="chip" href="[^"]*">([^<]*)<', text)[0] == "XL"


def test_stars_show_halves(visitor, mug, user, make_user):
    reviews.moderate(reviews.submit(mug, user=user, rating=5), status="published")
    reviews.moderate(reviews.submit(mug, user=make_user("b@example.org"), rating=4), status="published")
    text = visitor.get("/product/market-mug/")
    assert text.count('<span class="half">') == 2
    assert "4.5 of 5 stars" in text


def test_suggestions_are_a_piece_of_a_page(visitor, mug):
    text = visitor.get("/search/suggestions/?q=mu")
    assert "<html" not in text
    assert 'href="/product/market-mug/"' in text
    assert visitor.get("/search/suggestions/?q=m").strip() == ""


def test_product_page_offers_what_is_in_stock(visitor, mug):
    text = visitor.get("/product/market-mug/")
    assert "In stock" in text
    assert "Add to cart" in text
    inventory.adjust({"MUG": -8}, reason="breakage")
    assert "Only 2 left" in visitor.get("/product/market-mug/")
    inventory.adjust({"MUG": -2}, reason="breakage")
    assert "Add to cart" not in visitor.get("/product/market-mug/")


def test_variants_are_choices_and_those_sold_out_cannot_be_chosen(visitor, shirt):
    text = visitor.get("/product/acacia-shirt/")
    small, large = (text.split(f'value="SHIRT-{size}"')[1].split(">")[0] for size in ("S", "L"))
    assert "disabled" in small
    assert "checked" in large
    assert "KSh\N{NO-BREAK SPACE}2,000" in text


def test_address_of_a_variant_leads_to_its_group(visitor, shirt):
    slug = shirt.variants.first().slug
    assert visitor.client.get(f"/product/{slug}/").headers["Location"] == "/product/acacia-shirt/"


def test_a_product_that_is_switched_off_is_not_found(visitor, mug):
    products.change(mug, is_active=False)
    assert visitor.client.get("/product/market-mug/").status_code == 404


def test_group_without_variants_is_not_listed_and_its_page_says_that_it_is_not_for_sale(visitor, shirt, kitchen):
    variants = list(shirt.variants.all())
    products.change(shirt, is_featured=True)
    pages = ["/", "/category/kitchen/", "/search/?q=shirt", "/search/suggestions/?q=shirt", "/sitemap-products.xml"]
    assert all("/product/acacia-shirt/" in visitor.get(page) for page in pages)
    for variant in variants:
        products.change(variant, is_active=False, price=None)
    for page in pages:
        assert "/product/acacia-shirt/" not in visitor.get(page), page
    text = visitor.get("/product/acacia-shirt/")
    assert "This product is not for sale at the moment." in text
    assert "Add to cart" not in text
    assert 'class="price' not in text
    assert visitor.client.get("/product/acacia-shirt/reviews/").status_code == 200


def test_free_product_is_sold_and_one_without_a_price_leaves_the_cart(visitor, mug):
    products.set_price(mug, price=Decimal(0))
    assert "KSh\N{NO-BREAK SPACE}0" in visitor.get("/product/market-mug/")
    visitor.post("/cart/add/", product="MUG", quantity=1)
    assert "KSh\N{NO-BREAK SPACE}0" in visitor.get("/cart/")
    products.change(mug, is_active=False, price=None)
    text = visitor.get("/cart/")
    assert "no longer" in text
    assert visitor.client.get("/product/market-mug/").status_code == 404


def test_a_price_that_was_reduced_shows_both(visitor, mug):
    products.change(mug, compare_at_price=Decimal(1000))
    text = visitor.get("/product/market-mug/")
    assert "<del>KSh\N{NO-BREAK SPACE}1,000</del>" in text


def test_lists_take_the_same_number_of_queries_however_long(visitor, kitchen, mug, django_assert_max_num_queries):
    for number in range(20):
        products.create(sku=f"P{number}", name=f"Plate {number}", price=Decimal(10), categories=[kitchen])
    with django_assert_max_num_queries(14):
        visitor.get("/category/kitchen/")


def test_a_review_needs_an_account(visitor, mug):
    visitor.get("/product/market-mug/review/")
    assert visitor.path == "/accounts/login/"


def test_a_customer_reviews_once_and_changes_it(customer, mug):
    text = customer.post("/product/market-mug/review/", rating=4, title="Solid", body="Keeps warm.")
    assert "We check your review before it is published." in text
    assert "Keeps warm." not in customer.get("/product/market-mug/")
    mine = mug.reviews.get()
    reviews.moderate(mine, status="published")
    assert "Keeps warm." in customer.get("/product/market-mug/")
    four = customer.get("/product/market-mug/review/").split('name="rating" value="4"')[1].split(">")[0]
    assert "checked" in four
    customer.post("/product/market-mug/review/", rating=5, title="Solid", body="Still keeps warm.")
    assert [review.rating for review in mug.reviews.all()] == [5]


def test_a_review_without_a_rating_is_refused(customer, mug):
    assert "Please correct this error" in customer.post("/product/market-mug/review/", title="Solid")
    assert not mug.reviews.exists()


@pytest.mark.parametrize("after", ["nonsense", "%00", "00000000-0000-0000-0000-000000000000"])
def test_reviews_start_at_the_first_page_after_an_unknown_id(visitor, mug, after):
    assert "There are no reviews yet." in visitor.get(f"/product/market-mug/reviews/?after={after}")
