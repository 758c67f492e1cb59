"""A guest of the package's pages, for their tests."""

import re

from django.test import Client

GUEST = {
    "email": "guest@example.org",
    "name": "Test Guest",
    "phone": "0712 345 678",
    "line1": "Riverside Drive 12",
    "city": "Nairobi",
    "country": "KE",
    "payment": "test",
}
TEST = {
    "BACKEND": "shop_orders.payment_providers.HostedTestProvider",
    "OPTIONS": {"secrets": ["c2VjcmV0LXNlY3JldC1zZWNyZXQ="]},
}


class Shopper:
    """A browser without scripts: it follows redirects, and knows the page that it shows."""

    def __init__(self):
        self.client = Client(enforce_csrf_checks=True)
        self.pages = []

    def get(self, path):
        return self._show(self.client.get(path, follow=True))

    def post(self, path, **values):
        """Send a form of the page that is shown, with its hidden fields; ``values`` are typed or changed."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.text)
        sent = {"csrfmiddlewaretoken": token[1] if token else "", **values}
        return self._show(self.client.post(path, sent, follow=True))

    def hidden(self):
        fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', self.text)
        return {name: value for name, value in fields if name != "csrfmiddlewaretoken"}

    def _show(self, response):
        self.response = response
        self.text = re.sub(r"\s+", " ", response.content.decode())
        self.path = response.request["PATH_INFO"]
        self.pages.append(response)
        return self.text

    def add(self, quantity=1, *, at="/store", **values):
        self.get(f"{at}/orders/")  # a page with a form, as a product page of the site has one
        return self.post(f"{at}/cart/add/", **{"product": "978-1", "quantity": quantity, **values})

    def enter(self, **changes):
        self.get("/store/checkout/")
        return self.post("/store/checkout/", **{**GUEST, **changes})

    def review(self, quantity=1, **changes):
        self.add(quantity)
        self.enter(**changes)
        return self.hidden()

    def place(self, quantity=1, **changes):
        return self.post("/store/checkout/place/", **self.review(quantity, **changes))

    def pay(self, choice):
        self.post(self.path, payment="test", **self.hidden())
        return self.post(self.path, choice=choice)
