from decimal import Decimal
from itertools import count

import pytest
from django.test import override_settings
from shop_orders.models import OrderLine
from shop_orders.product_sources import ModelProductSource
from shop_orders.testing import MemoryProduct, MemoryProductSource, ProductSourceContract
from testproject.books.models import Article, Book, Course, Leaflet, Toy

numbers = count(1)


class TestModelProductSource(ProductSourceContract):
    @pytest.fixture
    def source(self):
        return ModelProductSource(model="books.Book", ref="isbn", name="title", price="sale_price", stock="on_hand")

    @pytest.fixture
    def make_product(self):
        def make(*, price, available):
            isbn = f"isbn-{next(numbers)}"
            Book.objects.create(isbn=isbn, title="A book", sale_price=price, on_hand=available)
            return isbn

        return make


class TestModelProductSourceWithoutStock(ProductSourceContract):
    """The reference is the primary key, a number."""

    counts_stock = False

    @pytest.fixture
    def source(self):
        return ModelProductSource(model="books.Course", ref="id", name="name", price="fee")

    @pytest.fixture
    def make_product(self):
        return lambda *, price, available: str(Course.objects.create(name="A course", fee=price).pk)


class TestModelProductSourceOverAProxy(TestModelProductSource):
    @pytest.fixture
    def source(self):
        return ModelProductSource(model="books.Bargain", ref="isbn", name="title", price="sale_price", stock="on_hand")


class TestModelProductSourceByUuid(ProductSourceContract):
    @pytest.fixture
    def source(self):
        return ModelProductSource(model="books.Leaflet", ref="id", name="headline", price="price", stock="copies")

    @pytest.fixture
    def make_product(self):
        return lambda *, price, available: str(
            Leaflet.objects.create(headline="A leaflet", page_price=price / 4, copies=available).pk
        )


class TestModelProductSourceOverInheritedTables(ProductSourceContract):
    """Reference and stock are columns of the parent's table."""

    ref, stock = "code", "units"

    @pytest.fixture
    def source(self):
        return ModelProductSource(model="books.Toy", ref=self.ref, name="label", price="cost", stock=self.stock)

    @pytest.fixture
    def make_product(self):
        def make(*, price, available):
            number = next(numbers)
            toy = Toy(code=f"toy-{number}", label="A toy", cost=float(price), shelf_code=number)
            setattr(toy, self.stock, available)
            toy.save()
            return str(getattr(toy, self.ref))

        return make


class TestModelProductSourceWithReferenceInChildTable(TestModelProductSourceOverInheritedTables):
    ref, stock = "shelf_code", "units"


class TestModelProductSourceWithStockInChildTable(TestModelProductSourceOverInheritedTables):
    ref, stock = "code", "spares"


class TestModelProductSourceWithDetails(TestModelProductSource):
    example_options = {"Engraving": "For Anna"}

    @pytest.fixture
    def source(self):
        return ModelProductSource(
            model="books.Book",
            ref="isbn",
            name="title",
            price="sale_price",
            stock="on_hand",
            line_options=["Engraving"],
            max_quantity="at_most",
            groups="shelves",
            needs_delivery="is_printed",
        )


class TestMemoryProductSource(ProductSourceContract):
    rolls_back = False

    @pytest.fixture
    def source(self):
        MemoryProductSource.reset()
        return MemoryProductSource()

    @pytest.fixture
    def make_product(self, source):
        def make(*, price, available):
            ref = f"ref-{next(numbers)}"
            source.products[ref] = MemoryProduct(ref=ref, unit_price=price, available=available)
            return ref

        return make


@pytest.mark.django_db
def test_filters_limit_the_products_on_sale(book):
    source = ModelProductSource(
        model="books.Book", ref="isbn", name="title", price="sale_price", filters={"is_listed": True}
    )
    assert set(source.fetch(["978-1"])) == {"978-1"}
    Book.objects.update(is_listed=False)
    assert source.fetch(["978-1"]) == {}


@pytest.mark.django_db
@pytest.mark.parametrize("option", ["line_options", "max_quantity", "groups", "needs_delivery"])
def test_details_that_follow_a_foreign_key_are_read_in_the_same_query(place, option, django_assert_num_queries):
    for _number in range(3):
        place(quantity=1)
    source = ModelProductSource(
        model="shop_orders.OrderLine",
        ref="id",
        name="name",
        price="unit_price",
        **{option: "order.reservations" if option == "max_quantity" else "order.status"},
    )
    refs = [str(pk) for pk in OrderLine.objects.values_list("pk", flat=True)]
    with django_assert_num_queries(1):
        assert len(source.fetch(refs)) == 3


@pytest.mark.django_db
def test_product_has_the_url_sku_and_name_of_its_model(book):
    source = ModelProductSource(model="books.Book", ref="isbn", name="title", price="sale_price", sku="isbn")
    product = source.fetch(["978-1"])["978-1"]
    assert (product.url, product.sku, product.name) == ("/books/978-1/", "978-1", "Trees of Kenya")


@pytest.mark.django_db
@pytest.mark.parametrize(("currency", "price"), [("UGX", "13"), ("KWD", "12.500"), ("KES", "12.50")])
def test_price_has_the_decimals_of_the_currency(book, settings, currency, price):
    with override_settings(SHOP_ORDERS={**settings.SHOP_ORDERS, "CURRENCY": currency}):
        source = ModelProductSource(model="books.Book", ref="isbn", name="title", price="sale_price")
        assert str(source.fetch(["978-1"])["978-1"].unit_price) == price


@pytest.mark.django_db
def test_release_ignores_a_deleted_product(book):
    source = ModelProductSource(model="books.Book", ref="isbn", name="title", price="sale_price", stock="on_hand")
    source.release({"978-1": 2, "gone": 1}, reference="ORDER-1")
    assert Book.objects.get().on_hand == 12


@pytest.mark.django_db
def test_price_is_rounded_to_the_currency(book):
    book.sale_price = Decimal("0.125")
    source = ModelProductSource(model="books.Book", ref="isbn", name="title", price="sale_price")
    assert source._product(book).unit_price == Decimal("0.13")


@pytest.mark.django_db
@pytest.mark.parametrize("price", [None, Decimal("-0.01")])
def test_product_without_a_valid_price_cannot_be_bought(price):
    priced, other = (Leaflet.objects.create(page_price=value) for value in (Decimal(1), price))
    source = ModelProductSource(model="books.Leaflet", ref="id", name="headline", price="price", stock="copies")
    assert set(source.fetch([str(priced.pk), str(other.pk)])) == {str(priced.pk)}


@pytest.mark.django_db
@pytest.mark.parametrize("cost", [float("inf"), -0.5, 1e300])
def test_product_with_an_invalid_float_price_cannot_be_bought(cost):
    Article.objects.create(code="odd", label="Odd", cost=cost)
    source = ModelProductSource(model="books.Article", ref="code", name="label", price="cost")
    assert source.fetch(["odd"]) == {}


@pytest.mark.django_db
def test_negative_stock_counts_as_zero(book):
    Book.objects.update(on_hand=-3)
    source = ModelProductSource(model="books.Book", ref="isbn", name="title", price="sale_price", stock="on_hand")
    assert source.fetch(["978-1"])["978-1"].available == 0
    assert source.reserve({"978-1": 1}, reference="ORDER-1") == {"978-1": 0}
    source.restock({"978-1": 2}, reference="RETURN-1")
    assert Book.objects.get().on_hand == -1
