from django.apps import AppConfig, apps


class AllauthConfig(AppConfig):
    """Install it beside ``shop_orders``: ``"shop_orders.contrib.allauth"``. It has no tables."""

    name = "shop_orders.contrib.allauth"
    label = "shop_orders_allauth"

    def ready(self) -> None:
        from shop_orders.contrib.allauth import checks, receivers

        receivers.connect()
        checks.register()
        if apps.is_installed("allauth.account"):
            from shop_orders.contrib.allauth.emails import accept_other_letters

            accept_other_letters()
        if apps.is_installed("allauth.socialaccount"):
            from shop_orders.contrib.allauth import openid_rights

            openid_rights.connect()
