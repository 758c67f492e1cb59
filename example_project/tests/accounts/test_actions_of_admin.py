"""Every action of every list in the admin, and the forms that could give permissions, tried by staff who may not."""

from __future__ import annotations

from typing import Any

import pytest
from accounts.models import User
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.test import Client, RequestFactory
from django.urls import reverse
from django_q.models import Schedule
from tests.accounts.test_authorisation_of_admin import some_row

pytestmark = pytest.mark.django_db


def log_in(user: User) -> Client:
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, but of sessions."""
    kept = [model for model in apps.get_models(include_auto_created=True) if model is not Session]
    return {model._meta.label: sorted(map(repr, model._default_manager.values_list())) for model in kept}


@pytest.fixture
def clerk(make_user: Any) -> Any:
    """Staff with these permissions only."""

    def make(*codenames: str, starting: str = "") -> User:
        user: User = make_user("clerk@example.org", is_staff=True)
        found = Permission.objects.filter(codename__startswith=starting) if starting else Permission.objects.none()
        user.user_permissions.set(found | Permission.objects.filter(codename__in=codenames))
        return user

    return make


def test_no_action_changes_anything_for_staff_who_only_view(world, clerk, admin_user):
    """The list of actions is that of a superuser, so an action of any app that is registered is in it."""
    browser = log_in(clerk(starting="view_"))
    request = RequestFactory().get("/")
    request.user = admin_user
    keys = {model: some_row(model).pk for model in admin.site._registry}
    before = everything()
    tried = []
    for model, model_admin in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        for action in model_admin.get_actions(request):
            sent = {"action": action, "_selected_action": [str(keys[model])], "select_across": "0", "post": "yes"}
            response = browser.post(reverse(name), sent)
            assert response.status_code < 500, (model, action)
            tried.append((model._meta.label_lower, action))

    assert everything() == before
    assert {
        ("account.emailaddress", "make_verified"),
        ("django_q.failure", "resubmit_task"),
        ("django_q.success", "resubmit_task"),
        ("shop_orders.order", "cancel"),
        ("accounts.user", "delete_selected"),
    } <= set(tried)


def test_actions_work_for_those_who_may(world, admin_user):
    """Otherwise the walk above would prove nothing."""
    address = EmailAddress.objects.create(user=admin_user, email="x@example.org", verified=False)

    log_in(admin_user).post(
        reverse("admin:account_emailaddress_changelist"),
        {"action": "make_verified", "_selected_action": [str(address.pk)]},
    )

    address.refresh_from_db()
    assert address.verified


def form_of(user: User, **changes: Any) -> dict[str, Any]:
    joined = user.date_joined
    return {
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "is_active": "on",
        "date_joined_0": joined.date().isoformat(),
        "date_joined_1": joined.time().isoformat(),
        **changes,
    }


def test_permission_to_change_users_makes_nobody_powerful(clerk, make_user, admin_user):
    staff = clerk("view_user", "add_user", "change_user", "delete_user")
    customer = make_user("customer@example.org")
    group = Group.objects.create(name="All")
    group.permissions.set(Permission.objects.all())
    powers = {
        "is_superuser": "on",
        "is_staff": "on",
        "groups": [str(group.pk)],
        "user_permissions": [str(key) for key in Permission.objects.values_list("pk", flat=True)],
    }
    browser = log_in(staff)

    for user, status in ((customer, 302), (staff, 403), (admin_user, 403)):
        url = reverse("admin:accounts_user_change", args=[user.pk])
        assert browser.post(url, form_of(user, first_name="New", **powers)).status_code == status
        password = {
            "password1": "a-long-and-odd-one-43",
            "password2": "a-long-and-odd-one-43",
            "usable_password": "true",
        }
        changed = browser.post(reverse("admin:auth_user_password_change", args=[user.pk]), password)
        assert changed.status_code == status
        assert browser.post(reverse("admin:accounts_user_delete", args=[user.pk]), {}).status_code in (200, 403)
    browser.post(reverse("admin:accounts_user_add"), {**password, "email": "made@example.org", **powers})
    everyone = [str(user.pk) for user in User.objects.all()]
    browser.post(
        reverse("admin:accounts_user_changelist"),
        {"action": "delete_selected", "_selected_action": everyone, "post": "yes"},
    )

    customer.refresh_from_db()
    assert customer.first_name == "New"
    assert list(User.objects.filter(is_superuser=True)) == [admin_user]
    assert {user.email for user in User.objects.filter(is_staff=True)} == {staff.email, admin_user.email}
    assert not User.groups.through.objects.exists()
    assert staff.user_permissions.count() == 4
    assert User.objects.get(pk=admin_user.pk).password == admin_user.password


def test_superuser_gives_permissions(admin_user, make_user):
    customer = make_user("customer@example.org")

    url = reverse("admin:accounts_user_change", args=[customer.pk])
    assert log_in(admin_user).post(url, form_of(customer, is_staff="on", is_superuser="on")).status_code == 302

    customer.refresh_from_db()
    assert customer.is_superuser


def test_rows_that_open_accounts_or_run_code_are_written_by_superusers_only(clerk, admin_user):
    """An e-mail address opens its account by a reset; a schedule calls any function; a group gives permissions."""
    keys = ("account", "allauth_idp_oidc", "auth", "django_q", "mfa", "socialaccount", "usersessions")
    staff = clerk()
    staff.user_permissions.set(Permission.objects.filter(content_type__app_label__in=keys))
    browser = log_in(staff)
    found = [model for model in admin.site._registry if model._meta.app_label in keys]
    assert len(found) > 10
    for model in found:
        row = some_row(model)
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert browser.get(reverse(f"{name}_changelist")).status_code == 200
        for url in (
            reverse(f"{name}_add"),
            reverse(f"{name}_change", args=[row.pk]),
            reverse(f"{name}_delete", args=[row.pk]),
        ):
            assert browser.post(url, {"post": "yes"}).status_code == 403, url
    assert not Schedule.objects.filter(func="os.system").exists()
