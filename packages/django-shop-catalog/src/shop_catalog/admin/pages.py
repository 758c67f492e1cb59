"""The base of pages that the product admin adds to Django's."""

from __future__ import annotations

from typing import Any, cast

import django
from django.contrib.admin import helpers
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from shop_core.model_admins import SafeList


class PageAdmin(SafeList):
    """An admin that renders further pages beside the list and the form."""

    def render_page(self, request: HttpRequest, name: str, title: str, context: dict[str, Any]) -> TemplateResponse:
        base = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        base["has_breadcrumb_list"] = django.VERSION >= (6, 1)
        if "form" in context:
            form = context["form"]
            base["adminform"] = helpers.AdminForm(form, [(None, {"fields": list(form.fields)})], {})
        return TemplateResponse(request, f"admin/shop_catalog/product/{name}.html", {**base, **context})

    def redirect_to_page(self, name: str, *args: Any, query: str = "") -> HttpResponseRedirect:
        """To a page of the product admin, on the admin site that shows this one."""
        page = reverse(f"admin:shop_catalog_product_{name}", args=args, current_app=self.admin_site.name)
        return HttpResponseRedirect(page + query)


def staff_user(request: HttpRequest) -> AbstractBaseUser:
    """The user of an admin request, who is always logged in."""
    return cast("AbstractBaseUser", request.user)
