"""What noxfile.py needs beside its chores. An older Python can read this file, and stops here."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("This project needs Python 3.11 or newer; this is Python {}.{}.".format(*sys.version_info[:2]))
