"""The problem documents of this app (RFC 9457): the status of each error."""

from __future__ import annotations

from shop_core.api.problems import Problems

from shop_notify.api.codes import SENTENCES
from shop_notify.conf import app_settings
from shop_notify.exceptions import (
    AddressRefused,
    NotFound,
    NotMutable,
    RouteRefused,
    TextRefused,
)

PROBLEMS = Problems(
    sentences=SENTENCES,
    statuses={
        NotFound: 404,
        AddressRefused: 422,
        NotMutable: 422,
        TextRefused: 422,
        RouteRefused: 422,
    },
    type_base=lambda: app_settings.PROBLEM_TYPE_BASE,
)

register = PROBLEMS.register
