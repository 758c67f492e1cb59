"""The access matrix of the admin: one row for each model, so that a new model without a row fails."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils import timezone
from tests.accounts.matrix import PASSWORD, PEOPLE, TOKENS, Cell, cell_of, desk, wanted

pytestmark = pytest.mark.django_db
ACTIONS = ("changelist", "add", "history", "delete", "change")
EDITED = (200, 200, 200, 200, 200)
READ = (200, 403, 200, 403, 200)
CLOSED = (403, 403, 403, 403, 403)

# Model in the admin: the status of each of ACTIONS for staff with the shop's permissions.
MODELS: dict[str, tuple[int, ...]] = {
    "account.emailaddress": CLOSED,
    "accounts.user": CLOSED,
    "allauth_idp_oidc.client": CLOSED,
    "allauth_idp_oidc.token": CLOSED,
    "auth.group": CLOSED,
    "django_q.failure": CLOSED,
    "django_q.ormq": CLOSED,
    "django_q.schedule": CLOSED,
    "django_q.success": CLOSED,
    "mfa.authenticator": CLOSED,
    "shop_catalog.category": EDITED,
    "shop_catalog.imagefetch": (200, 403, 200, 200, 200),
    "shop_catalog.jobrun": READ,
    "shop_catalog.product": EDITED,
    "shop_catalog.review": (200, 403, 200, 200, 200),
    "shop_catalog.stockmovement": READ,
    "shop_notify.jobrun": READ,
    "shop_notify.notification": READ,
    "shop_notify.preference": EDITED,
    "shop_notify.routefailure": READ,
    "shop_notify.suppression": EDITED,
    "shop_notify.templateoverride": EDITED,
    "shop_orders.cart": READ,
    "shop_orders.customer": EDITED,
    "shop_orders.erasure": READ,
    "shop_orders.idempotencykey": READ,
    "shop_orders.incomingpayment": READ,
    "shop_orders.jobrun": READ,
    "shop_orders.order": READ,
    "shop_orders.orderevent": READ,
    "shop_orders.payment": READ,
    "shop_orders.providerevent": READ,
    "shop_orders.shipment": READ,
    "socialaccount.socialaccount": CLOSED,
    "socialaccount.socialapp": CLOSED,
    "socialaccount.socialtoken": CLOSED,
    "usersessions.usersession": CLOSED,
}


def test_every_model_of_the_admin_has_a_row():
    assert sorted(model._meta.label_lower for model in admin.site._registry) == sorted(MODELS)


def some_row(model: type[models.Model]) -> models.Model:
    """A row of a model: an existing one, else one with minimal values."""
    least = {field.name: _least(field) for field in model._meta.concrete_fields if _is_required(field)}
    if model._meta.label_lower == "django_q.failure":
        least["success"] = False
    return model._default_manager.first() or model._default_manager.create(**least)


def _is_required(field: Any) -> bool:
    return not (field.null or field.blank or field.has_default() or isinstance(field, models.AutoField))


def _least(field: Any) -> Any:
    if field.is_relation:
        return some_row(field.related_model)
    if field.choices:
        return field.choices[0][0]
    match field:
        case models.DateTimeField():
            return timezone.now()
        case models.IntegerField() | models.DecimalField():
            return 1
        case models.JSONField():
            return {}
        case models.GenericIPAddressField():
            return "127.0.0.1"
    return uuid.uuid4().hex[: field.max_length]


def _after_a_form(cell: Cell, with_permission: dict[str, int], action: str) -> set[Cell]:
    """The status of POST where GET shows a form: the form again, or a redirect; 403 for read-only models."""
    if cell != 200:
        return {cell}
    is_read_only = tuple(with_permission.values()) == READ and action == "change"
    return {403} if is_read_only else {200, 302}


@pytest.mark.slow
@pytest.mark.parametrize("visitor", [*PEOPLE, *TOKENS], indirect=True)
def test_every_cell_of_the_models_in_the_admin(visitor, paths):
    name, client_for = visitor
    wrong = {}
    for model in admin.site._registry:
        base = f"/admin/{model._meta.label_lower.replace('.', '/')}/"
        key = quote(some_row(model).pk)
        with_permission = dict(zip(ACTIONS, MODELS[model._meta.label_lower], strict=True))
        for action, status in with_permission.items():
            path = base + {"changelist": "", "add": "add/"}.get(action, f"{key}/{action}/")
            cell = wanted(desk(403, status), name, path)
            for method, met in (("GET", {cell}), ("POST", _after_a_form(cell, with_permission, action))):
                found = cell_of(client_for(path), method, path)
                if found not in met:
                    wrong[method, path] = (found, met)
        if cell_of(client_for(base), "GET", f"{base}{key}/") != wanted(desk(302, 302), name, base):
            wrong["GET", f"{base}{key}/"] = "not led to the form"

    assert not wrong, "\n".join(f"{path}: {found}" for path, found in wrong.items())


@pytest.mark.parametrize("model", [*admin.site._registry], ids=lambda model: model._meta.label_lower)
def test_the_view_on_site_link_is_404_for_any_invalid_key(client, people, model):
    client.force_login(people["staff"], backend="django.contrib.auth.backends.ModelBackend")
    for content_type in (ContentType.objects.get_for_model(model).pk, "x"):
        for key in ("1000000000", "no-key"):
            assert client.get(f"/admin/r/{content_type}/{key}/").status_code == 404


def test_staff_try_no_passwords_of_others_at_the_log_in_of_the_admin(client, people):
    """Django's own form has no rate limit and no second factor."""
    client.force_login(people["staff_without"], backend="django.contrib.auth.backends.ModelBackend")

    response = client.post("/admin/login/", {"username": people["staff"].email, "password": PASSWORD})

    assert response.status_code == 405
    assert client.get("/admin/shop_orders/order/").status_code == 403
