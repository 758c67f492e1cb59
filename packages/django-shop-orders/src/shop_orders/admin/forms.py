"""Forms of the admin's order page. ``options()`` returns the keyword arguments for the form's action."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import escape
from django.utils.translation import gettext_lazy as _
from shop_core.money import quantise

from shop_orders.models import Order, Payment


class StepForm(forms.Form):
    """A form about an order."""

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lines = {f"line_{line.position}": line for line in order.lines.all()}

    def options(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name not in self.lines}

    def quantities(self) -> dict[str, int]:
        """``{product_ref: units}`` of the lines that were filled in."""
        values = {line.product_ref: self.cleaned_data.get(name) for name, line in self.lines.items()}
        return {ref: value for ref, value in values.items() if value}


class NotifyForm(StepForm):
    """For a step that has no other option."""

    notify = forms.BooleanField(label=_("Notify the customer"), required=False, initial=True)


class ShipForm(NotifyForm):
    carrier = forms.CharField(label=_("Carrier"), max_length=100, required=False)
    tracking_number = forms.CharField(label=_("Tracking number"), max_length=100, required=False)
    tracking_url = forms.URLField(label=_("Tracking page"), max_length=500, required=False, assume_scheme="https")
    field_order = ("carrier", "tracking_number", "tracking_url", "notify")

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        for name, line in self.lines.items():
            if line.open_quantity:
                self.fields[name] = forms.IntegerField(
                    label=line.name, min_value=0, max_value=line.open_quantity, initial=line.open_quantity
                )

    def options(self) -> dict[str, Any]:
        return {**super().options(), "quantities": self.quantities()}


class RefundForm(NotifyForm):
    amount = forms.DecimalField(label=_("Amount"), min_value=0, max_digits=14, decimal_places=4)
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)
    field_order = ("amount", "reason", "notify")

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        self.initial["amount"] = quantise(order.refund_due or order.refundable_amount, order.currency)
        for name, line in self.lines.items():
            returnable = line.shipped_quantity - line.restocked_quantity
            if returnable:
                label = _("Back to stock: %(name)s") % {"name": line.name}
                self.fields[name] = forms.IntegerField(label=label, min_value=0, max_value=returnable, initial=0)

    def options(self) -> dict[str, Any]:
        return {**super().options(), "restock": self.quantities()}


class RecordPaymentForm(NotifyForm):
    amount = forms.DecimalField(
        label=_("Amount received"),
        min_value=0,
        max_digits=14,
        decimal_places=4,
        required=False,
        help_text=_("Leave empty for the full amount."),
    )
    field_order = ("amount", "notify")

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        self.initial["amount"] = quantise(order.amount_due, order.currency)


class ResolveForm(NotifyForm):
    amount = forms.DecimalField(label=_("Amount received"), min_value=0, max_digits=14, decimal_places=4)
    field_order = ("amount", "notify")

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        held = order.payments.filter(status=Payment.Status.HELD).order_by("id").first()
        help_text = _("%(why)s Enter 0 if nothing was received, or if it was refunded already.")
        self.fields["amount"].help_text = help_text % {"why": escape(held.error) if held else ""}


class CancelForm(NotifyForm):
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)
    field_order = ("reason", "notify")


class NoteForm(StepForm):
    text = forms.CharField(label=_("Note"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))
    is_public = forms.BooleanField(label=_("Visible to the customer"), required=False)
