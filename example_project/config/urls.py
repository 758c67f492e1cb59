from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.contrib.contenttypes.views import shortcut
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.http import require_safe
from shop_catalog import media

from config import docs
from config.api import api

admin.site.login = secure_admin_login(require_safe(admin.site.login))  # type: ignore[method-assign]
"""The admin uses the shop's log-in, with its rate limits, second factor and OpenID Providers.

Django's own form would still accept a POST from a logged-in user, who could try passwords of other users there without
a limit. So only GET is allowed.
"""


def not_offered(request: HttpRequest, **parameters: str) -> HttpResponse:  # noqa: ARG001
    """404 for features of allauth that the shop does not offer: verifying phone numbers, and devices without a
    keyboard.
    """
    raise Http404


def view_on_site(request: HttpRequest, content_type_id: str, object_id: str) -> HttpResponse:
    """The admin's "View on site" link. Django 5.2 responds 500 to a key that is not a valid UUID."""
    try:
        return shortcut(request, content_type_id, object_id)
    except ValidationError as error:
        raise Http404 from error


urlpatterns = [
    path("accounts/", include("shop_orders.contrib.allauth.openid_urls")),
    path("accounts/", include("allauth.urls")),
    path("_allauth/<slug:client>/v1/account/phone", not_offered),
    path("_allauth/<slug:client>/v1/auth/phone/<path:step>", not_offered),
    path("_allauth/", include("allauth.headless.urls")),
    path("admin/r/<path:content_type_id>/<path:object_id>/", admin.site.admin_view(view_on_site)),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("swagger.json", docs.schema, name="schema"),
    path("swagger/", docs.swagger, name="swagger"),
    path("swagger/oauth2-redirect/", docs.swagger_redirect, name="swagger_redirect"),
    path("redoc/", docs.redoc, name="redoc"),
    path("redoc/redoc.js", docs.redoc_script, name="redoc_script"),
    path("problems/<slug:code>/", docs.problem, name="problem"),
    path("notify/", include("shop_notify.urls")),
    path("payments/", include("shop_orders.urls")),
    path("", include("operations.urls")),
]
if settings.OIDC_PROVIDER:
    from shop_orders.contrib.allauth import exchange

    urlpatterns.append(path("identity/o/device", not_offered))
    urlpatterns.append(path("identity/o/api/device/code", not_offered))
    urlpatterns.append(path("identity/o/authorize", exchange.authorize))
    urlpatterns.append(path("identity/o/api/token", exchange.token))
    urlpatterns.append(path("identity/o/api/revoke", exchange.revoke))
    urlpatterns.append(path("identity/o/logout", exchange.end_session))
    urlpatterns.append(path("", include("allauth.idp.urls")))
if settings.DEMO:
    urlpatterns.append(path("demo/", include("demo.urls")))
if settings.SERVE_MEDIA:
    urlpatterns.append(path("media/<path:path>", media.serve))
urlpatterns.append(path("", include("storefront.urls")))
urlpatterns.append(path("", include("shop_orders.contrib.pages.urls")))

handler400 = "storefront.views.errors.bad_request"
handler403 = "storefront.views.errors.forbidden"
handler404 = "storefront.views.errors.not_found"
handler500 = "storefront.views.errors.server_error"
