"""Staff rights from a claim of an OpenID Provider, and the log-out at the provider.

Both are settings of a provider's app in SOCIALACCOUNT_PROVIDERS: ``"staff_claim": "groups=shop-staff"`` and
``"end_session": True``. Imported only where ``allauth.socialaccount`` is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from allauth.account.signals import user_logged_in
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.signals import social_account_added, social_account_removed
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import HttpRequest
from django.utils.http import urlencode
from shop_core.db.transactions import connection_of

GROUP = "Staff by OpenID Connect"
"""The group of staff whose rights come from a claim. Give it permissions in the admin."""
STAFF = "is_staff_by_claim"
"""The key in an account's ``extra_data`` under which the claim of its last log-in is stored."""
SESSION_SECONDS = 12 * 3600
"""Staff by a claim log in again after this time, so that a claim that was removed takes effect."""
SESSION_KEY = "shop_orders_openid_logout"


def connect() -> None:
    name = "shop_orders.allauth"
    user_logged_in.connect(_after_login, dispatch_uid=name)
    social_account_added.connect(_after_linking, dispatch_uid=name)
    social_account_removed.connect(_after_unlinking, dispatch_uid=name)


def has_claim(claims: Any, wanted: str) -> bool:
    """Whether claims have ``name=value``, or a ``name`` that is true. ``realm_access.roles=shop`` is a nested claim.

    If the claim is a list, one item must match. Only text and true match: 1 is not true.
    """
    name, _equals, value = wanted.partition("=")
    found = claims.get(name) if isinstance(claims, Mapping) else None
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    items = found if isinstance(found, list) else [found]
    return any((item is True) if not value else (isinstance(item, str) and item == value) for item in items)


def update_staff(user: Any) -> None:
    """Give a user staff rights if one of the accounts that are linked has the claim; take them away if none has.

    Users who got their rights from a claim are the members of GROUP; only theirs are taken away. A superuser is always
    staff, and no claim makes a user a superuser. A second call changes nothing.
    """
    with transaction.atomic(using=connection_of(get_user_model()).alias):
        locked = get_user_model()._default_manager.select_for_update().get(pk=user.pk)
        group, _is_new = Group.objects.get_or_create(name=GROUP)
        had = locked.groups.filter(pk=group.pk).exists()
        has = SocialAccount.objects.filter(user=locked, **{f"extra_data__{STAFF}": True}).exists()
        if has and not had:
            locked.groups.add(group)
        elif had and not has:
            locked.groups.remove(group)
        is_staff = has or (locked.is_staff and (locked.is_superuser or not had))
        if locked.is_staff != is_staff:
            locked.is_staff = is_staff
            locked.save(update_fields=["is_staff"])
    user.is_staff = is_staff


def logout_url(request: HttpRequest, back: str) -> str:
    """The URL of the provider's log-out (OpenID Connect RP-Initiated Logout 1.0, 2); "" if there is none.

    ``back`` is the path to which the provider sends the browser; the provider must know its full URL.
    """
    known = request.session.get(SESSION_KEY) if request.user.is_authenticated else None
    if not known:
        return ""
    query = {
        "id_token_hint": known["id_token"],
        "client_id": known["client_id"],
        "post_logout_redirect_uri": request.build_absolute_uri(back),
    }
    return f"{known['url']}{'&' if '?' in known['url'] else '?'}{urlencode(query)}"


def logout_origin(request: HttpRequest) -> str:
    """The origin of the provider's log-out, for ``form-action``; "" if there is none. Creates no session."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES or not hasattr(request, "session"):
        return ""
    known = request.session.get(SESSION_KEY) or {}
    url = urlsplit(str(known.get("url", "")))
    return f"{url.scheme}://{url.netloc}" if url.netloc else ""


def _after_login(request: HttpRequest, user: Any, sociallogin: Any = None, **_kwargs: Any) -> None:
    if sociallogin is None:
        return
    if STAFF in (sociallogin.account.extra_data or {}):
        update_staff(user)
        if user.is_staff:
            request.session.set_expiry(SESSION_SECONDS)
    end = getattr(sociallogin.token, "openid_logout", None)
    if end and not sociallogin.is_headless:
        request.session[SESSION_KEY] = end


def _after_linking(sociallogin: Any, **_kwargs: Any) -> None:
    update_staff(sociallogin.user)


def _after_unlinking(socialaccount: Any, **_kwargs: Any) -> None:
    update_staff(socialaccount.user)
