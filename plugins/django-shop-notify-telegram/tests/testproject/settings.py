SECRET_KEY = "not-a-secret-for-tests-only"
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = ["shop_notify"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
SHOP_NOTIFY = {"NOTIFIERS": {"telegram": {"BACKEND": "telegram", "OPTIONS": {"token": "123:abc"}}}}
