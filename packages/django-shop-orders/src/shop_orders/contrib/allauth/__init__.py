"""The accounts router and its authentication, by django-allauth. Install ``django-shop-orders[allauth]``.

No other module imports allauth. No password or token is made or checked here: every operation calls allauth's headless
flow for apps by the name of its URL, and only converts the response.
"""
