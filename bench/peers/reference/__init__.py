"""The reference shop: cart and checkout as a good developer usually writes them with Django REST framework."""
