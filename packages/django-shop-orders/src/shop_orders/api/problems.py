"""The problem documents of this app (RFC 9457): the status of each error."""

from __future__ import annotations

from shop_core.api.problems import Problems

from shop_orders.api.codes import SENTENCES
from shop_orders.conf import app_settings
from shop_orders.exceptions import (
    InvalidInput,
    InvalidWebhook,
    NotFound,
    OrderNumberRefused,
    PricingFailed,
    ProductUnreadable,
    ProviderUnavailable,
    RequestInProgress,
    ValidatorFailed,
)

PROBLEMS = Problems(
    sentences=SENTENCES,
    statuses={
        NotFound: 404,
        InvalidInput: 422,
        InvalidWebhook: 400,
        PricingFailed: 503,
        ProductUnreadable: 503,
        ProviderUnavailable: 503,
        OrderNumberRefused: 503,
        ValidatorFailed: 503,
    },
    retry_after={ProviderUnavailable: 5, RequestInProgress: 2},
    type_base=lambda: app_settings.PROBLEM_TYPE_BASE,
)

register = PROBLEMS.register
