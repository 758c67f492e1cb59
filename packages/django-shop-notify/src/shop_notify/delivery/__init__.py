"""Delivering what is due in the outbox: claim rows, send them, record the results, apply the providers' reports."""

from shop_notify.delivery.balances import check_balances
from shop_notify.delivery.draining import deliver_due, wake_up
from shop_notify.delivery.fallbacks import start_fallbacks
from shop_notify.delivery.reports import receive_reports

__all__ = ["check_balances", "deliver_due", "receive_reports", "start_fallbacks", "wake_up"]
