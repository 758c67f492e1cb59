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


class Course(models.Model):
    """Sold without counting: the key is a number and there is no stock."""

    name = models.CharField(max_length=200)
    fee = models.DecimalField(max_digits=10, decimal_places=2)
