"""Pages of a shop for a site that has none: cart, checkout, payment, order, find my order, cancel.

Install the app ``shop_orders.contrib.pages`` and include ``shop_orders.contrib.pages.urls``. The templates extend the
site's ``base.html`` and need no script. A site changes them by templates and blocks of the same name, and the views by
subclasses.
"""
