"""The forms of the handset."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class PayByHandForm(forms.Form):
    phone = forms.RegexField(label=_("From phone"), regex=r"^254[0-9]{9}$", initial="254712345678")
    account = forms.CharField(label=_("Account number (the order's number)"), max_length=40, required=False)
    amount = forms.DecimalField(label=_("Amount in KES"), min_value=1, max_digits=9, decimal_places=0)


class PayTillForm(PayByHandForm):
    """A till takes no account number."""

    account = None  # type: ignore[assignment]  # removes the field
