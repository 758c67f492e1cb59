"""States of a site's own in the admin: filter, actions of the list, and the form of the step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from shop_orders import lifecycle
from shop_orders.admin.forms import NotifyForm
from shop_orders.models import Order
from shop_orders.models.states import State, configured, state_label


class StateFilter(admin.SimpleListFilter):
    """Orders in a state of the site's own. Without such states there is no filter."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [(state.name, state.label) for state in configured().values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:  # noqa: ARG002
        return queryset.filter(state=self.value()) if self.value() else queryset


class StateForm(NotifyForm):
    """Chooses a state that the order can get now."""

    state = forms.ChoiceField(label=gettext_lazy("State"), required=False)
    field_order = ("state", "notify")

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        field: Any = self.fields["state"]
        field.choices = [(name, state_label(name)) for name in lifecycle.allowed_states(order)]
        if order.state:
            field.choices = [*field.choices, ("", _("None of these"))]


def actions(run: Callable[..., None]) -> list[Callable[..., None]]:
    """An action of the list for each state. ``run(request, orders, action)`` calls one of the lifecycle for each
    order."""
    return [_action(state, run) for state in configured().values()]


def _action(state: State, run: Callable[..., None]) -> Callable[..., None]:
    label = str(state.label).replace("%", "%%")  # the admin formats the description with the names of the model

    @admin.action(description=_("Set the state: %(state)s") % {"state": label})
    def change(model_admin: Any, request: HttpRequest, orders: QuerySet[Order]) -> None:  # noqa: ARG001
        run(request, orders, partial(lifecycle.set_state, state=state.name))

    change.__name__ = f"state_{state.name}"
    return change
