"""The customer's personal data: a file with all of it, and the end of the account."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import reauthentication_required
from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from shop_orders import form_tokens, personal_data
from shop_orders.contrib.pages.forms import ShopForm
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import Order, OrderStatus

FINISHED = (OrderStatus.DELIVERED, OrderStatus.CANCELLED)


class DeleteForm(ShopForm):
    form_token = form_tokens.FormTokenField()
    is_sure = forms.BooleanField(
        label=gettext_lazy("Delete my account and my data for ever"),
        error_messages={"required": gettext_lazy("Tick this to delete your account.")},
    )


@login_required
@require_safe
@never_cache
def show(request: HttpRequest) -> HttpResponse:
    return render(request, "storefront/account/data.html")


@login_required
@require_safe
@never_cache
@reauthentication_required  # type: ignore[untyped-decorator]
def export(request: HttpRequest) -> HttpResponse:
    """A JSON file with everything that is stored about the customer. Asks for the password first."""
    found = personal_data.export_everywhere(personal_data.person_of_user(request.user))
    response = JsonResponse(found, json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return response


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@non_atomic_requests
@reauthentication_required  # type: ignore[untyped-decorator]
def delete(request: HttpRequest) -> HttpResponse:
    """Delete the account, after the password and a confirmation. Sending the form again has no effect."""
    user: Any = request.user
    form = DeleteForm(request.POST if request.method == "POST" else None)
    if user.is_staff:
        messages.error(request, _("Accounts of staff are deleted by an administrator."))
        return redirect("storefront:account_data")
    if form.is_bound and form.is_valid():
        try:
            sent = form_tokens.once(
                form.data,
                owner=f"user:{user.pk}",
                route="delete account",
                work=lambda: personal_data.erase_everywhere(personal_data.person_of_user(user)).waiting,
                in_transaction=False,
            )
        except ShopOrdersError as error:
            form.add_error(None, str(error))
        else:
            logout(request)
            for entry in sent.body:
                text = _("%(what)s: %(reason)s We will erase it as soon as possible.")
                messages.warning(request, text % entry)
            messages.success(request, _("Your account is deleted."))
            return redirect("storefront:home")
    person = personal_data.person_of_user(user)
    open_orders = Order.objects.filter(number__in=person["references"]).exclude(status__in=FINISHED)
    context = {"form": form, "open_orders": open_orders.order_by("pk")}
    return render(request, "storefront/account/delete.html", context)
