"""The example's settings plus a product table that is not ours, for tests across packages and the docs' code."""

from config.testing import *  # noqa: F403
from config.testing import INSTALLED_APPS as EXAMPLE_APPS

INSTALLED_APPS = [*EXAMPLE_APPS, "books"]
