"""The parts of a shared page that differ between visitors: the links to account and cart, and the language."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@require_safe
def tools(request: HttpRequest) -> HttpResponse:
    """The links to the account and the cart with its count, as an HTML fragment for ``shop.js``."""
    return render(request, "storefront/parts/tools.html", {"is_asked": True})


@require_safe
@never_cache
def language(request: HttpRequest, language: str) -> HttpResponse:
    """Keep the language in a cookie, and go back to the page with the link."""
    if language not in dict(settings.LANGUAGES):
        raise Http404
    url = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    response = redirect(url if is_ours and url.startswith("/") else "storefront:home")
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        secure=settings.LANGUAGE_COOKIE_SECURE or request.is_secure(),
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE or "Lax",
    )
    return response
