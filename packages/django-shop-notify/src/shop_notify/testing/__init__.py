"""For the tests of plugins and sites: the contract that every notifier passes, and a stand-in for a provider."""

from shop_notify.testing.contract import NotifierContract, ReportContract, Transport

__all__ = ["NotifierContract", "ReportContract", "Transport"]
