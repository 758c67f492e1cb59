"""What plugins and sites import in their own tests: the contract that every notifier passes, and its stand-ins."""

from shop_notify.testing.contract import NotifierContract, ReportContract, Transport

__all__ = ["NotifierContract", "ReportContract", "Transport"]
