"""What the packages of django-shop share. It has no models, no settings of its own and no text that people read."""
