"""django-oscar with django-oscar-api: ``pip install django-oscar django-oscar-api``, then ``bench.orders --oscar``."""
