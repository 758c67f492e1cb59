"""The base of admin classes for tables with millions of rows."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from shop_core import model_admins


class LongList(model_admins.LongList):
    """The list of a table with millions of rows, with the sentences of this app."""

    more_rows_text = _("More than %(count)s. The list ends there: search, or filter, to see others.")
    more_found_text = _("%(count)s or more were found. The newest of them are listed.")
