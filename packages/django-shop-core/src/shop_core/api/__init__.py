"""Problem documents, checks of request bodies, types and credentials for django-ninja routers."""
