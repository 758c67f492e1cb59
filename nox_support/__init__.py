"""Support code for noxfile.py. A Python that is too old can parse this file, and exits with a message."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("This project needs Python 3.11 or newer; this is Python {}.{}.".format(*sys.version_info[:2]))
