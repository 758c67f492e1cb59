"""Tables of the sites: people who log in with an address, cups, and pages that sell cups."""

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class People(BaseUserManager["Person"]):
    def create_superuser(self, address: str, password: str) -> "Person":
        person = self.model(address=address, is_staff=True, is_superuser=True)
        person.set_password(password)
        person.save()
        return person


class Person(AbstractBaseUser):
    """Has no username, no names, and another name for the e-mail address."""

    address = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    is_superuser = models.BooleanField(default=False)

    USERNAME_FIELD = EMAIL_FIELD = "address"
    objects = People()

    def __str__(self) -> str:
        return self.address

    def has_perm(self, _permission: str, _row: Any = None) -> bool:
        return self.is_active and self.is_superuser

    def has_module_perms(self, _label: str) -> bool:
        return self.is_active and self.is_superuser


class Cup(models.Model):
    code = models.CharField(max_length=20, unique=True)
    title = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return self.title


class Picture(models.Model):
    """Pages refer to their pictures by foreign key."""

    file = models.FileField(upload_to="pictures")

    def __str__(self) -> str:
        return self.file.name


class CupPage(models.Model):
    """As a page of Wagtail: a position that changes when pages move, revisions that a publication copies back."""

    path = models.CharField(max_length=200, unique=True)
    slug = models.SlugField()
    title = models.CharField(max_length=100)
    live = models.BooleanField(default=True)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    picture = models.ForeignKey(Picture, null=True, on_delete=models.SET_NULL)
    latest_revision = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.title

    def save_revision(self) -> None:
        self.latest_revision = {"title": self.title, "price": str(self.price)}
        CupPage.objects.filter(pk=self.pk).update(latest_revision=self.latest_revision)

    def publish(self) -> None:
        CupPage.objects.filter(pk=self.pk).update(**self.latest_revision, live=True)


class CupStock(models.Model):
    """The stock of a page in a table of its own, which no form or revision of the page writes back."""

    page = models.OneToOneField(CupPage, primary_key=True, on_delete=models.CASCADE)
    units = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.units} of {self.page_id}"
