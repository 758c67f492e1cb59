"""The example's settings with a foreign product table beside them: where packages meet and the docs' code runs."""

from config.testing import *  # noqa: F403
from config.testing import INSTALLED_APPS as EXAMPLE_APPS

INSTALLED_APPS = [*EXAMPLE_APPS, "books"]
