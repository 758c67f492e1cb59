"""Notifiers: the base classes, the notifiers that ship with the package, and the functions that find one."""

from shop_notify.exceptions import (
    AddressRefused,
    PermanentFailure,
    ReportRefused,
    SetupFailure,
    TemporaryFailure,
    UnknownOutcome,
)
from shop_notify.notifiers import http
from shop_notify.notifiers.africas_talking import AfricasTalkingNotifier
from shop_notify.notifiers.base import Balance, Message, Notifier, Receipt, Report, require_secret
from shop_notify.notifiers.console import ConsoleNotifier
from shop_notify.notifiers.email import EmailNotifier
from shop_notify.notifiers.memory import MemoryNotifier
from shop_notify.notifiers.registry import get_notifier, installed, notifier_class
from shop_notify.notifiers.sms import SmsNotifier
from shop_notify.notifiers.webhook import WebhookNotifier
from shop_notify.notifiers.whatsapp import AfricasTalkingWhatsAppNotifier

__all__ = [
    "AddressRefused",
    "AfricasTalkingNotifier",
    "AfricasTalkingWhatsAppNotifier",
    "Balance",
    "ConsoleNotifier",
    "EmailNotifier",
    "MemoryNotifier",
    "Message",
    "Notifier",
    "PermanentFailure",
    "Receipt",
    "Report",
    "ReportRefused",
    "SetupFailure",
    "SmsNotifier",
    "TemporaryFailure",
    "UnknownOutcome",
    "WebhookNotifier",
    "get_notifier",
    "http",
    "installed",
    "notifier_class",
    "require_secret",
]
