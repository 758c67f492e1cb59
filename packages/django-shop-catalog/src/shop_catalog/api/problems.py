"""The problem documents of this app (RFC 9457): the status of each error."""

from __future__ import annotations

from shop_core.api.problems import Problems

from shop_catalog.api.codes import SENTENCES
from shop_catalog.conf import app_settings
from shop_catalog.exceptions import (
    CategoryCycle,
    FileTooLarge,
    ImageNotFetched,
    ImageTooLarge,
    InvalidCursor,
    InvalidImage,
    InvalidProduct,
    UnknownCategory,
    UnknownProduct,
    UnknownReview,
    UnreadableFile,
)

PROBLEMS = Problems(
    sentences=SENTENCES,
    statuses={
        CategoryCycle: 422,
        FileTooLarge: 413,
        ImageNotFetched: 422,
        ImageTooLarge: 413,
        InvalidCursor: 422,
        InvalidImage: 422,
        InvalidProduct: 422,
        UnknownCategory: 404,
        UnknownProduct: 404,
        UnknownReview: 404,
        UnreadableFile: 422,
    },
    type_base=lambda: app_settings.PROBLEM_TYPE_BASE,
)

register = PROBLEMS.register
