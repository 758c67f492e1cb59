"""Forms of the admin's order page. ``options()`` returns the keyword arguments for the form's action."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from django import forms
from django.utils.html import escape
from django.utils.translation import gettext_lazy as _
from shop_core.money import as_text, quantise

from shop_orders import crediting, lifecycle, tracking
from shop_orders.exceptions import InvalidInput
from shop_orders.form_tokens import NAME, FormTokenField, new_token
from shop_orders.models import Order, OrderLine, Payment
from shop_orders.models.lines import by_key
from shop_orders.payment_providers import aliases, awaits_online_payment, label_of, refund_needs_decision
from shop_orders.payments import disputes
from shop_orders.payments.choosing import manual_providers

CONFIRMED = "confirmed_amount"
"""The checkbox that confirms a refund without credit. Its value is the amount, so it confirms this amount only."""


class StepForm(forms.Form):
    """A form about an order. It can be sent once. Most steps refuse it if money or goods of the order have changed."""

    form_token = FormTokenField()

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[NAME].initial = partial(new_token, tracking.money_and_goods(order))
        self.lines = {f"line_{line.position}": line for line in order.lines.all()}

    def clean(self) -> dict[str, Any] | None:
        values = super().clean()
        for message in self.errors.pop(NAME, ()):  # the field is hidden
            self.add_error(None, message)
        return values

    def options(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name not in (*self.lines, NAME)}

    def quantities(self) -> dict[str, int]:
        """``{line: units}`` of the lines that were filled in."""
        return self.entered(self.lines)

    def entered(self, fields: Mapping[str, OrderLine]) -> dict[str, int]:
        return {line.line: units for name, line in fields.items() if (units := self.cleaned_data.get(name))}


class NotifyForm(StepForm):
    """For a step that has no other option."""

    notify = forms.BooleanField(label=_("Notify the customer"), required=False, initial=True)


class ConfirmForm(NotifyForm):
    """Asks once more before an order is accepted that still waits for an online payment."""

    field_order = ("accept_unpaid", "notify")

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        if not awaits_online_payment(order):
            return
        text = _("%(amount)s %(currency)s are still to be paid by %(provider)s. A confirmed order does not expire.")
        values = {"amount": as_text(order.amount_due, order.currency), "currency": order.currency}
        self.fields["accept_unpaid"] = forms.BooleanField(
            label=_("Confirm it although it is not paid"),
            help_text=text % {**values, "provider": label_of(order.payment_provider)},
        )
        self.order_fields(self.field_order)

    def options(self) -> dict[str, Any]:
        return {"accept_unpaid": False, **super().options()}


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
                    label=line.full_name, min_value=0, max_value=line.open_quantity, initial=line.open_quantity
                )

    def options(self) -> dict[str, Any]:
        return {**super().options(), "quantities": self.quantities()}


class RefundForm(NotifyForm):
    """Refunds an amount, or the chosen goods and shipping. The amount may be lower than their price."""

    amount = forms.DecimalField(
        label=_("Amount"),
        min_value=0,
        max_digits=14,
        decimal_places=4,
        required=False,
        help_text=_(
            "Leave empty to refund the goods and the shipping that you choose below. An amount without goods changes "
            "nothing about what is sent."
        ),
    )
    shipping = forms.BooleanField(label=_("Refund the shipping"), required=False)
    without_credit = forms.BooleanField(
        label=_("Without credit"),
        required=False,
        help_text=_("The customer then owes the amount again, for example after a payment by mistake."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        self.order = order
        self.refundable_units = {f"refund_{name}": line for name, line in self.lines.items()}
        self.unsent_units = {f"cancel_{name}": line for name, line in self.lines.items() if _is_part_shipped(line)}
        self.initial["amount"] = quantise(order.refund_due or order.refundable_amount, order.currency)
        credited = crediting.credited_units(order)
        keys = {line.line: key for key, line in by_key(order.lines.all()).items()}
        for name, line in self.refundable_units.items():
            if units := line.quantity - credited[keys[line.line]]:
                label = _("Refund: %(name)s") % {"name": line.full_name}
                self.fields[name] = _units(label, units)
                if line.open_quantity and not line.shipped_quantity:
                    self.fields[name].help_text = _("Units that are refunded are not sent any more.")
        for name, line in self.unsent_units.items():
            label = _("Of these, not sent any more: %(name)s") % {"name": line.full_name}
            self.fields[name] = _units(label, line.open_quantity)
        if not crediting.shipping_cost(order):
            del self.fields["shipping"]
        for name, line in self.lines.items():
            if units := line.shipped_quantity - line.restocked_quantity:
                label = _("Back to stock: %(name)s") % {"name": line.full_name}
                self.fields[name] = _units(label, units)
        goods = [f"{kind}{name}" for name in self.lines for kind in ("refund_", "cancel_")]
        self.order_fields(["amount", *goods, "shipping", "without_credit", "reason", *self.lines])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            units = lifecycle.units_of(self.order, self.refunded_lines())
            parts = crediting.parts(self.order, units, shipping=bool(cleaned.get("shipping")))
            self._check_unsent()
        except InvalidInput as error:
            raise forms.ValidationError(str(error)) from error
        amount, value = cleaned["amount"], sum((part.amount for part in parts), Decimal(0))
        if amount is None and not parts:
            self.add_error("amount", _("Enter an amount, or choose goods or the shipping."))
        elif amount is not None and parts and amount > value:
            text = _(
                "The goods and shipping that you chose cost %(value)s %(currency)s. Clear the amount to refund that, "
                "or enter less."
            )
            values = {"value": as_text(value, self.order.currency), "currency": self.order.currency}
            self.add_error("amount", text % values)
        elif cleaned["without_credit"]:
            self._ask_once_more(value if amount is None else amount)
        return cleaned

    def _ask_once_more(self, wanted: Decimal) -> None:
        """Refuse the form until a box is ticked that says how much the customer will owe again."""
        amount = quantise(max(wanted - self.order.refund_due, Decimal(0)), self.order.currency)
        if not amount:
            return
        text = _("The customer must pay %(amount)s %(currency)s again")
        choice = text % {"amount": as_text(amount, self.order.currency), "currency": self.order.currency}
        field = forms.MultipleChoiceField(
            label=_("Without credit"),
            choices=[(as_text(amount, self.order.currency), choice)],
            widget=forms.CheckboxSelectMultiple,
            required=False,
        )
        self.fields[CONFIRMED] = field
        ticked = field.widget.value_from_datadict(self.data, self.files, self.add_prefix(CONFIRMED))
        if as_text(amount, self.order.currency) not in (ticked or ()):  # it may have been ticked for another amount
            consequence = _(
                "The goods stay sold, so %(amount)s %(currency)s will be due again. "
                "If the customer is to keep the money, clear “Without credit”."
            )
            values = {"amount": as_text(amount, self.order.currency), "currency": self.order.currency}
            self.add_error(CONFIRMED, consequence % values)

    def _check_unsent(self) -> None:
        """Check that at most the refunded units of a line are cancelled."""
        refunded = self.refunded_lines()
        for name, line in self.unsent_units.items():
            if (self.cleaned_data.get(name) or 0) > refunded.get(line.line, 0):
                self.add_error(name, _("Enter at most the units that are refunded."))

    def refunded_lines(self) -> dict[str, int]:
        return self.entered(self.refundable_units)

    def unsent_lines(self) -> dict[str, int]:
        """The refunded units that are not sent: as entered, or all of a line of which nothing was shipped."""
        whole = {name: line for name, line in self.refundable_units.items() if not line.shipped_quantity}
        units = {line.line: line.open_quantity for line in whole.values()}
        refunded = {line: min(count, units[line]) for line, count in self.entered(whole).items()}
        return {line: count for line, count in {**refunded, **self.entered(self.unsent_units)}.items() if count}

    def options(self) -> dict[str, Any]:
        return {
            "amount": self.cleaned_data["amount"],
            "lines": self.refunded_lines(),
            "shipping": bool(self.cleaned_data.get("shipping")),
            "credit": not self.cleaned_data["without_credit"],
            "reason": self.cleaned_data["reason"],
            "restock": self.quantities(),
            "cancel": {} if self.cleaned_data["without_credit"] else self.unsent_lines(),
            "notify": self.cleaned_data["notify"],
        }


def _is_part_shipped(line: OrderLine) -> bool:
    return bool(line.shipped_quantity and line.open_quantity)


def _units(label: str, most: int) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=0, max_value=most, initial=0, required=False)


class RecordPaymentForm(NotifyForm):
    amount = forms.DecimalField(
        label=_("Amount received"),
        min_value=0,
        max_digits=14,
        decimal_places=4,
        required=False,
        help_text=_("Leave empty for the full amount. Any excess over the amount due has to be refunded."),
    )
    provider = forms.ChoiceField(label=_("Received by"))
    field_order = ("amount", "provider", "notify")

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        if order.amount_due:
            self.initial["amount"] = quantise(order.amount_due, order.currency)
        providers = {provider.alias: provider.label for provider in manual_providers(order)}
        if list(providers) == [order.payment_provider]:
            del self.fields["provider"]
        else:
            self.fields["provider"].choices = list(providers.items())  # type: ignore[attr-defined]


class RestockForm(StepForm):
    """Goods that came back, whether or not they were paid or refunded."""

    credit = forms.BooleanField(
        label=_("Credit these goods"),
        required=False,
        help_text=_("The customer no longer owes them. Money that was paid for them has to be refunded."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        for name, line in self.lines.items():
            if units := line.shipped_quantity - line.restocked_quantity:
                self.fields[name] = _units(line.full_name, units)
        self.order_fields([*self.lines, "credit", "reason"])

    def options(self) -> dict[str, Any]:
        return {**super().options(), "quantities": self.quantities()}


class ResolveForm(NotifyForm):
    """Names the payment that the page shows, so that two staff members do not resolve two payments by mistake."""

    payment = forms.UUIDField(widget=forms.HiddenInput)
    amount = forms.DecimalField(label=_("Amount received"), min_value=0, max_digits=14, decimal_places=4)
    field_order = ("amount", "notify")

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        rows = [payment for payment in order.payments.order_by("id") if payment.needs_decision]
        shown = [payment for payment in rows if str(payment.public_id) == self.data.get("payment")]
        held = next(iter(shown or rows), None)
        self.initial["payment"] = held.public_id if held else None
        help_text = _("%(why)s Enter 0 if nothing was received, or if it was refunded already.")
        self.fields["amount"].help_text = help_text % {"why": escape(held.error) if held else ""}


class ProviderRefundForm(NotifyForm):
    payment = forms.ChoiceField(label=_("Payment"))
    amount = forms.DecimalField(
        label=_("Amount refunded"),
        min_value=0,
        max_digits=14,
        decimal_places=4,
        help_text=_("Enter 0 if no refund is missing here."),
    )
    reference = forms.CharField(label=_("Provider's reference of the refund"), max_length=255, required=False)
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)
    field_order = ("payment", "amount", "reference", "reason", "notify")

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        captured = order.payments.filter(status=Payment.Status.CAPTURED).order_by("id")
        names = [(str(payment.pk), f"{payment} {payment.provider_reference}") for payment in captured]
        self.fields["payment"].choices = names  # type: ignore[attr-defined]
        removed = sorted({payment.provider for payment in captured} - set(aliases()))
        if removed:
            text = _(
                "Not in the settings any more: %(providers)s. Send the money back on the page of the provider, "
                "or in another way."
            )
            self.fields["payment"].help_text = text % {"providers": escape(", ".join(removed))}


class ResolveRefundForm(NotifyForm):
    """The result of a refund, as staff have seen on the provider's page."""

    refund = forms.ChoiceField(label=_("Refund"))
    outcome = forms.ChoiceField(
        label=_("Result"),
        choices=[("succeeded", _("The customer got the money")), ("failed", _("The customer did not get the money"))],
        widget=forms.RadioSelect,
        help_text=_("Look at the provider's page first. Money that the customer did not get can be refunded again."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)
    field_order = ("refund", "outcome", "reason", "notify")

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        undecided = [row for row in tracking.refunds_of(order) if refund_needs_decision(row)]
        names = [(str(row.public_id), f"{as_text(row.amount, order.currency)} {order.currency}") for row in undecided]
        self.fields["refund"].choices = names  # type: ignore[attr-defined]
        self.fields["refund"].help_text = " ".join(escape(row.error) for row in undecided[:1])

    def options(self) -> dict[str, Any]:
        values = super().options()
        outcome = values.pop("outcome")
        return {**values, "succeeded": outcome == "succeeded"}


class ResolveDisputeForm(StepForm):
    """What the provider's page shows about a dispute that is held."""

    dispute = forms.ChoiceField(label=_("Dispute"))
    amount = forms.DecimalField(
        label=_("Amount taken back"),
        min_value=0,
        max_digits=14,
        decimal_places=4,
        help_text=_("Enter 0 if the provider took nothing back, or paid it out again."),
    )
    is_lost = forms.BooleanField(
        label=_("The dispute was lost"), required=False, help_text=_("The customer owes nothing for this amount.")
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, help_text=_("What you saw on the provider's page."))

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        names = {(row.payment_id, row.refund_reference): row for row in disputes.held(order)}
        self.fields["dispute"].choices = [  # type: ignore[attr-defined]
            (str(row.pk), f"{row.payment} {row.refund_reference}".strip()) for row in names.values()
        ]
        self.fields["dispute"].help_text = " ".join(escape(row.detail) for row in [*names.values()][:1])


class CancelUnitsForm(NotifyForm):
    """The units that are not sent: at first, all that are left."""

    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, order=order, **kwargs)
        for name, line in self.lines.items():
            if line.open_quantity:
                self.fields[name] = _units(line.full_name, line.open_quantity)
                self.fields[name].initial = line.open_quantity
        self.fields["reason"].help_text = _(
            "The units are released, and their price is credited. What was paid for them has to be refunded."
        )
        self.order_fields([*self.lines, "reason", "notify"])

    def options(self) -> dict[str, Any]:
        return {**super().options(), "quantities": self.quantities()}


class CancelForm(NotifyForm):
    reason = forms.CharField(label=_("Reason"), max_length=200, required=False)
    field_order = ("reason", "notify")


class NoteForm(StepForm):
    text = forms.CharField(label=_("Note"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))
    is_public = forms.BooleanField(label=_("Visible to the customer"), required=False)
