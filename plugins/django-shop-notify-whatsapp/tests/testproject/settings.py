SECRET_KEY = "not-a-secret-for-tests-only"
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "testproject.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "shop_notify"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
SHOP_NOTIFY = {
    "NOTIFIERS": {
        "whatsapp": {
            "BACKEND": "whatsapp_cloud",
            "OPTIONS": {
                "phone_number_id": "106540352242922",
                "access_token": "EAAJB-token-that-stays-secret",
                "app_secret": "app-secret-that-stays-secret",
                "verify_token": "verify-token-that-stays-secret",
                "templates": {
                    "order_placed": {"name": "order_placed", "languages": ["en_US", "de"], "body": ["order.number"]}
                },
            },
        }
    },
    "QUEUE": "shop_notify.queues.none",
    "PHONE_REGIONS": ["KE", "DE"],
}
