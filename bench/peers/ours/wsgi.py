"""The application that granian serves, for ours and for the naive form."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
