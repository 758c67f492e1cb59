"""The example's settings with a foreign product table beside them: where packages meet and the docs' code runs."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as EXAMPLE_APPS

INSTALLED_APPS = [*EXAMPLE_APPS, "books"]
