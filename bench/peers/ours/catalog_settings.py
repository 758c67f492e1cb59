"""The catalogue alone in a Django project, as a site would have it in production."""

import os
from urllib.parse import urlsplit

_url = urlsplit(os.environ["DATABASE_URL"])
_options: dict[str, object] = {"pool": {"min_size": 4, "max_size": 4}, "options": "-c jit=on"}
if os.environ.get("BENCH_DATABASE") == "recommended":
    _options |= {"server_side_binding": True, "prepare_threshold": 0, "options": "-c jit=off"}

DEBUG = False
SECRET_KEY = "only for the bench"
ALLOWED_HOSTS = ["*"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _url.path.lstrip("/"),
        "USER": _url.username,
        "PASSWORD": _url.password or "",
        "HOST": _url.hostname,
        "PORT": _url.port,
        "OPTIONS": _options,
    }
}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "mptt", "ninja", "shop_catalog"]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = os.environ.get("BENCH_URLS", "bench.peers.ours.catalog_urls")
MEDIA_URL = "/media/"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SHOP_CATALOG = {"CURRENCY": "KES", "FACETS": ["colour", "material"]}
