"""The accounts router and its authentication, by django-allauth. Install ``django-shop-orders[allauth]``.

The only place that imports allauth. No password or token is made or checked here: every operation is a call of
allauth's headless flow for apps, by the name of its URL; only the response is reshaped.
"""
