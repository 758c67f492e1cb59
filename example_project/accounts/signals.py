"""Signals of accounts, for the routes of SHOP_NOTIFY."""

from __future__ import annotations

from django.dispatch import Signal

mail_requested = Signal()
"""Sent for each e-mail that an account needs: a code, a taken or unknown address, a change of the account.

Kwargs: ``payload``, with ``kind`` (``code``, ``taken``, ``unknown`` or ``changed``) and the values of that kind's
templates, and ``event_id``. See ``accounts.mails``.
"""
