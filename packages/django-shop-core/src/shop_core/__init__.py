"""The code shared by the packages of django-shop. It has no models, no settings and no text that is shown to users."""
