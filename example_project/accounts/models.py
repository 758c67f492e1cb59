"""The site's user model: it logs in with an e-mail address and has no user name."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.utils.translation import gettext_lazy as _
from shop_core.addresses import comparable
from shop_orders import emails


class AddressField(emails.EmailModelField):
    """An e-mail address that is stored, and looked up, in the form in which addresses are compared.

    So the unique column holds each address once, however it is spelt, and no comparison is left to the
    database.
    """

    def to_python(self, value: Any) -> Any:
        return value if value is None else comparable(str(value))

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(value if value is None else self.to_python(value))

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """Validate the address as it was typed, because ``to_python`` replaces some letters by plain ones (a-z)."""
        emails.validate(str(value or "").strip())
        return super().clean(value, model_instance)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: FBT001 - Django's signature
        value = self.to_python(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a user. Without a password the user gets an unusable one."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=username)


class User(AbstractUser):
    """A person with an account. Addresses and orders belong to the customer of the orders app."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = None  # type: ignore[assignment]
    email = AddressField(_("e-mail address"), max_length=254, unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return str(self.email)
