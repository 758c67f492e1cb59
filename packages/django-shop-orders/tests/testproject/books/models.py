import uuid

from django.db import models


class Book(models.Model):
    """What the site sold before it had a shop: other names for everything."""

    isbn = models.CharField(max_length=20, unique=True)
    title = models.CharField(max_length=200)
    sale_price = models.DecimalField(max_digits=10, decimal_places=2)
    on_hand = models.IntegerField(default=0)
    is_listed = models.BooleanField(default=True)

    def get_absolute_url(self):
        return f"/books/{self.isbn}/"

    def engravings(self):
        """The options of tests whose source names this method; see ``testproject.engraving``."""
        return ["Engraving", "Date"]

    def at_most(self):
        return 8

    def shelves(self):
        return "signed, fragile"

    def is_printed(self):
        return not self.isbn.startswith("ebook")


class Course(models.Model):
    """Sold without counting: the key is a number and there is no stock."""

    name = models.CharField(max_length=200)
    fee = models.DecimalField(max_digits=10, decimal_places=2)


class Bargain(Book):
    """A proxy of the same rows."""

    class Meta:
        proxy = True


class Leaflet(models.Model):
    """Identified by a UUID; the price comes from a method and may be missing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    headline = models.CharField(max_length=200)
    page_price = models.DecimalField(max_digits=10, decimal_places=4, null=True)
    copies = models.PositiveIntegerField(null=True)

    def price(self):
        return None if self.page_price is None else 4 * self.page_price


class Article(models.Model):
    """The common fields of all products, in a table of their own."""

    code = models.CharField(max_length=20, unique=True)
    label = models.CharField(max_length=200)
    cost = models.FloatField()
    units = models.IntegerField(default=0)


class Toy(Article):
    """The reference, price and stock are in the parent's table, the shelf in its own."""

    shelf_code = models.IntegerField(unique=True)
    spares = models.IntegerField(default=0)
