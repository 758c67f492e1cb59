"""The text of messages: templates in files and in the admin, rendered, previewed and tried with sample data."""

from shop_notify.messages.overrides import validate_override
from shop_notify.messages.previews import Preview, preview_notification, preview_signal
from shop_notify.messages.rendering import Content, Renderer, render
from shop_notify.messages.samples import SAMPLE_ORDER, sample_values

__all__ = [
    "SAMPLE_ORDER",
    "Content",
    "Preview",
    "Renderer",
    "preview_notification",
    "preview_signal",
    "render",
    "sample_values",
    "validate_override",
]
