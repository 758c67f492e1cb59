"""Receivers that revoke an account's tokens and update the customer's e-mail address when the account changes."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_changed, email_confirmed
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models.signals import pre_save

from shop_orders import customers


def connect() -> None:
    name = "shop_orders.allauth"
    email_changed.connect(_update_address, dispatch_uid=name)
    email_confirmed.connect(_update_confirmed_address, dispatch_uid=name)
    if apps.is_installed("allauth.idp.oidc"):
        pre_save.connect(_revoke_tokens_of_old_password, sender=get_user_model(), dispatch_uid=name)


def _update_address(user: Any, to_email_address: EmailAddress, **_kwargs: Any) -> None:
    customers.update(customers.for_user(user), email=to_email_address.email)


def _update_confirmed_address(email_address: EmailAddress, **_kwargs: Any) -> None:
    if email_address.primary:
        customers.update(customers.for_user(email_address.user), email=email_address.email)


def _revoke_tokens_of_old_password(
    sender: Any, instance: Any, update_fields: frozenset[str] | None = None, **_kwargs: Any
) -> None:
    """Revoke the tokens of the OpenID Provider when the password changes, as stateful validation does for log-ins."""
    if instance._state.adding or (update_fields is not None and "password" not in update_fields):  # noqa: SLF001 - Django's documented state
        return
    stored = sender._default_manager.filter(pk=instance.pk).values_list("password", flat=True).first()
    if stored is not None and stored != instance.password:
        from shop_orders.contrib.allauth.scoped import revoke_all_tokens

        revoke_all_tokens(instance)
