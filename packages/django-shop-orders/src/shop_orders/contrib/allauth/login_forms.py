"""allauth's forms for log-in and reset, with the e-mail address in the form in which addresses are compared.

    ACCOUNT_FORMS = {"login": "shop_orders.contrib.allauth.login_forms.LoginForm",
                     "reset_password": "shop_orders.contrib.allauth.login_forms.ResetPasswordForm"}

The sign-up form's own fields are in ``forms``, which allauth imports before its forms exist.
"""

from __future__ import annotations

from allauth.account import forms
from shop_core.addresses import comparable


class LoginForm(forms.LoginForm):
    def clean_login(self) -> str:
        login: str = super().clean_login()
        return comparable(login)


class ResetPasswordForm(forms.ResetPasswordForm):
    def clean_email(self) -> str:
        """The address that limits and e-mails use, so that all its spellings are counted together."""
        email: str = super().clean_email()
        return comparable(email)
