"""django-oscar with its API alone: no pages, no mail, sessions that need no database."""

import oscar
from oscar.defaults import *  # noqa: F403

from bench.ours.settings import *  # noqa: F403

INSTALLED_APPS = [*oscar.INSTALLED_APPS, "rest_framework", "oscarapi"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "bench.peers.oscar.urls"
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
STATIC_URL = "/static/"
SITE_ID = 1
OSCAR_DEFAULT_CURRENCY = "KES"
OSCAR_INITIAL_ORDER_STATUS = OSCAR_INITIAL_LINE_STATUS = "Pending"
OSCARAPI_INITIAL_ORDER_STATUS = "Pending"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["bench.peers.oscar.authentication.BearerAuthentication"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
