"""The admin site, with the shop's name in the header and the dashboard on the first page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from shop_orders.contrib.allauth import openid_rights

from backoffice import dashboard, guards


class BackofficeSite(admin.AdminSite):
    site_header = site_title = settings.SHOP_NAME
    index_title = _("The shop today")
    index_template = "backoffice/index.html"

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register models with guards, whichever app they are of."""
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable
        for model in models:
            super().register(model, guards.guarded(model, admin_class or admin.ModelAdmin), **options)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Log out at the OpenID Provider too, as the shop's own log-out does."""
        url = openid_rights.logout_url(request, reverse("storefront:home"))
        response = super().logout(request, extra_context)
        return HttpResponseRedirect(url) if url else response

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**(extra_context or {}), "dashboard": dashboard.of(request, self)})
