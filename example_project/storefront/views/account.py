"""The customer's account: profile, addresses, orders, message preferences."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from shop_notify.recipients import GroupChoice, preference_choices, write_preferences
from shop_orders import customers
from shop_orders.contrib.pages import countries, timeline
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import Address, Customer, Order

from storefront.forms import AddressForm, ProfileForm

ORDERS_PER_PAGE = 20


@login_required
@require_safe
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    customer = customers.for_user(request.user)
    context = {
        "customer": customer,
        "orders": _orders(customer)[:3],
        "address": customer.addresses.filter(is_default=True).first(),
    }
    return render(request, "storefront/account/overview.html", context)


@login_required
@require_safe
@never_cache
def orders(request: HttpRequest) -> HttpResponse:
    """All orders, newest first; ``?after=`` is the number of the last order on the previous page."""
    rows = _orders(customers.for_user(request.user))
    last = rows.filter(number=request.GET.get("after", "").replace("\0", "")).first()
    if last is not None:
        rows = rows.filter(Q(placed_at__lt=last.placed_at) | Q(placed_at=last.placed_at, pk__lt=last.pk))
    found = list(rows[: ORDERS_PER_PAGE + 1])
    next_number = found[ORDERS_PER_PAGE - 1].number if len(found) > ORDERS_PER_PAGE else ""
    context = {"orders": found[:ORDERS_PER_PAGE], "next": next_number, "is_first_page": last is None}
    return render(request, "storefront/account/orders.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def profile(request: HttpRequest) -> HttpResponse:
    customer = customers.for_user(request.user)
    initial = {name: getattr(customer, name) for name in ProfileForm.base_fields}
    form = ProfileForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_bound and form.is_valid():
        customers.update(customer, **form.cleaned_data)
        messages.success(request, _("Your profile is saved."))
        return redirect("storefront:account_profile")
    context = {"form": form, "customer": customer}
    return render(request, "storefront/account/profile.html", context)


@login_required
@require_safe
@never_cache
def addresses(request: HttpRequest) -> HttpResponse:
    rows = [(row, countries.name_of(row.country)) for row in customers.for_user(request.user).addresses.all()]
    return render(request, "storefront/account/addresses.html", {"rows": rows})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def address(request: HttpRequest, public_id: uuid.UUID | None = None) -> HttpResponse:
    """Add or change an address."""
    customer = customers.for_user(request.user)
    kept = _kept_address(customer, public_id) if public_id else None
    initial = _as_row(kept) if kept else {"name": customer.name, "phone": customer.phone}
    form = AddressForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_bound and form.is_valid():
        try:
            customers.save_address(customer, form.cleaned_data, public_id=public_id)
        except Address.DoesNotExist as error:
            raise Http404 from error
        except ShopOrdersError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The address is saved."))
            return redirect("storefront:account_addresses")
    context = {"form": form, "kept": kept}
    return render(request, "storefront/account/address.html", context)


@login_required
@require_POST
def delete_address(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    customer = customers.for_user(request.user)
    kept = _kept_address(customer, public_id)
    customers.delete_address(customer, kept.public_id)
    messages.success(request, _("The address is deleted."))
    return redirect("storefront:account_addresses")


@login_required
@require_POST
def default_address(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    customer = customers.for_user(request.user)
    kept = _kept_address(customer, public_id)
    customers.save_address(customer, {**_as_row(kept), "is_default": True}, public_id=public_id)
    messages.success(request, _("This is now your default address."))
    return redirect("storefront:account_addresses")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def messages_wanted(request: HttpRequest) -> HttpResponse:
    """The message preferences, by group and channel. Required messages are always sent."""
    key = customers.for_user(request.user).key
    choices = preference_choices(key)
    if request.method == "POST":
        write_preferences(key, {choice["group"]: _chosen(request, choice) for choice in choices if choice["group"]})
        messages.success(request, _("Your preferences are saved."))
        return redirect("storefront:account_messages")
    return render(request, "storefront/account/messages.html", {"choices": choices, "channels": timeline.CHANNELS})


def _chosen(request: HttpRequest, choice: GroupChoice) -> dict[str, bool]:
    return {
        way["alias"]: f"{choice['group']}.{way['alias']}" in request.POST
        for way in choice["notifiers"]
        if not way["is_fixed"]
    }


def _orders(customer: Customer) -> Any:
    return Order.objects.of(customer).order_by("-placed_at", "-pk").annotate(item_count=Sum("lines__quantity"))


def _kept_address(customer: Customer, public_id: uuid.UUID) -> Address:
    kept = customer.addresses.filter(public_id=public_id).first()
    if kept is None:
        raise Http404
    return kept


def _as_row(address: Address) -> dict[str, Any]:
    return {**address.as_data(), "label": address.label, "is_default": address.is_default}
