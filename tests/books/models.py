"""Product tables of a site that is not a shop."""

from django.db import models


class Book(models.Model):
    isbn = models.CharField(max_length=13, unique=True)
    title = models.CharField(max_length=200)
    sale_price = models.DecimalField(max_digits=8, decimal_places=2)
    on_hand = models.PositiveIntegerField(default=0)

    class Meta:
        app_label = "books"

    def __str__(self) -> str:
        return self.title


class Shelf(models.Model):
    """The stock of a book, for a product source that spans two tables."""

    book = models.OneToOneField(Book, on_delete=models.CASCADE)
    units = models.PositiveIntegerField(default=0)

    class Meta:
        app_label = "books"

    def __str__(self) -> str:
        return f"{self.units} of {self.book_id}"
