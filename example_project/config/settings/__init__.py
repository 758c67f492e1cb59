"""Settings of the example shop. Everything that differs between a laptop and production comes from the environment.

``.env.example`` lists the variables. A wrong or missing one is named in the error.
"""

from config.settings.accounts import *  # noqa: F403
from config.settings.base import *  # noqa: F403
from config.settings.operations import *  # noqa: F403
from config.settings.shop import *  # noqa: F403
