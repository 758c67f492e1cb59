from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from shop_orders import emails

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from shop_orders.managers import RelatedCarts, RelatedOrders


class EmailKeyField(models.CharField):  # type: ignore[type-arg]
    """The e-mail address of the row in the form in which addresses are compared. It is set when the row is saved."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "editable": False})

    def pre_save(self, model_instance: models.Model, add: bool) -> str:  # noqa: ARG002, FBT001 - Django's signature
        key = emails.email_key(getattr(model_instance, "email"))  # noqa: B009 - the model has it, the class has not
        setattr(model_instance, self.attname, key)
        return key

    def deconstruct(self) -> Any:
        """Migrations see the plain field."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


class Customer(models.Model):
    """A buyer: a user of the site, or a guest with the contact details of one order."""

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="shop_customer",
    )
    first_name = models.CharField(_("first name"), max_length=150, blank=True)
    last_name = models.CharField(_("last name"), max_length=150, blank=True)
    email = emails.EmailModelField(_("e-mail address"), max_length=254, blank=True)
    email_key = EmailKeyField(_("e-mail address, to compare"), max_length=320, blank=True, db_index=True)
    phone = models.CharField(_("phone"), max_length=16, blank=True, help_text=_("In E.164, such as +254712345678."))
    language = models.CharField(_("language"), max_length=35, blank=True, help_text=_("BCP 47, such as en or sw."))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)
    anonymised_at = models.DateTimeField(_("anonymised at"), null=True, blank=True, editable=False)

    user_id: Any
    addresses: RelatedManager[Address]
    carts: RelatedCarts
    orders: RelatedOrders

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(phone="") | models.Q(phone__startswith="+"), name="shop_orders_customer_phone_e164"
            ),
        ]
        permissions = [("erase_customer", _("Can export and erase the personal data of customers"))]

    def __str__(self) -> str:
        return self.name or self.email or self.phone or str(self.public_id)

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def is_guest(self) -> bool:
        return self.user_id is None

    @property
    def key(self) -> str:
        """Identifies this customer for other apps; never changes."""
        return f"customer:{self.public_id}"


class Address(models.Model):
    """An address in a customer's address book. Orders have their own copies."""

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.CASCADE, related_name="addresses"
    )
    label = models.CharField(_("label"), max_length=50, blank=True, help_text=_("Such as home or office."))
    name = models.CharField(_("name"), max_length=200, blank=True)
    company = models.CharField(_("company"), max_length=200, blank=True)
    line1 = models.CharField(_("address"), max_length=200)
    line2 = models.CharField(_("address, second line"), max_length=200, blank=True)
    city = models.CharField(_("town or city"), max_length=100)
    region = models.CharField(_("county or region"), max_length=100, blank=True)
    postal_code = models.CharField(_("postal code"), max_length=20, blank=True)
    country = models.CharField(_("country"), max_length=2, help_text=_("ISO 3166-1, such as KE."))
    phone = models.CharField(_("phone"), max_length=16, blank=True)
    is_default = models.BooleanField(_("default"), default=False)

    customer_id: int

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        ordering = ("-is_default", "id")
        constraints = [
            models.UniqueConstraint(
                fields=("customer",), condition=models.Q(is_default=True), name="shop_orders_address_one_default"
            ),
        ]

    def __str__(self) -> str:
        return ", ".join(part for part in (self.line1, self.city, self.country) if part)

    def as_data(self) -> dict[str, str]:
        """The address as a dict, for an order to store."""
        names = ("name", "company", "line1", "line2", "city", "region", "postal_code", "country", "phone")
        return {name: getattr(self, name) for name in names}
