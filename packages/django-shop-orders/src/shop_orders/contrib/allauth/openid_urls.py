"""The URLs of allauth's OpenID Connect log-in, with the same names. Include them before ``allauth.urls``."""

from allauth.socialaccount import app_settings
from django.urls import path

from shop_orders.contrib.allauth import openid_login

_PREFIX = f"{app_settings.OPENID_CONNECT_URL_PREFIX}/" if app_settings.OPENID_CONNECT_URL_PREFIX else ""

urlpatterns = [
    path(f"{_PREFIX}<provider_id>/login/", openid_login.login, name="openid_connect_login"),
    path(f"{_PREFIX}<provider_id>/login/callback/", openid_login.callback, name="openid_connect_callback"),
]
