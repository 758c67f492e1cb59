"""Problem documents, guards of request bodies, types and credentials for django-ninja routers."""
