"""Notifiers with one fault each: the published kit finds each fault and says what to do."""

from __future__ import annotations

import dataclasses
import logging
import threading

import pytest
from shop_notify.notifiers import (
    AddressRefused,
    MemoryNotifier,
    Notifier,
    PermanentFailure,
    Receipt,
    Report,
    TemporaryFailure,
    UnknownOutcome,
)
from shop_notify.testing import NotifierContract, ReportContract, Transport

SECRET = "key-that-nobody-sees"
FAILURES = {
    "temporary": TemporaryFailure("busy", retry_after=5),
    "permanent": PermanentFailure("no"),
    "rate_limit": TemporaryFailure("slow down"),
    "refuse": TemporaryFailure("nobody there"),
    "nonsense": UnknownOutcome("what?"),
}


class Provider(Transport):
    def __init__(self):
        self.mode, self.messages = "accept", []

    def behave(self, mode):
        self.mode = mode

    def received(self):
        return self.messages


class Good(Notifier):
    channel = "pager"
    secret_options = frozenset({"key"})
    takes = staticmethod(lambda text: text)

    def __init__(self, *, alias: str, key: str, provider: Provider) -> None:
        super().__init__(alias=alias)
        if not key:
            raise ValueError("“key” is required.")
        self.key, self.provider = key, provider

    def check_address(self, address):
        if not address.isdigit():
            raise AddressRefused("digits")

    def send(self, message):
        if self.provider.mode in FAILURES:
            raise FAILURES[self.provider.mode]
        if self.provider.mode == "time_out":
            self.hang()
        self.provider.messages.append({"to": message.to, "text": message.text, "key": message.id})
        return Receipt(provider_id=message.id)

    def hang(self):
        raise UnknownOutcome("no response")


class Kit(NotifierContract):
    """Not collected: its checks are called one by one below."""

    __test__ = False
    address = "4711"
    bad_addresses = ("nobody",)
    sends_idempotency_key = True
    max_seconds = 0.5


class ReportKit(ReportContract, Kit):
    __test__ = False

    def report(self, *, provider_id, address):
        return self.post({"id": provider_id}, secret="s")

    def forged_reports(self, *, provider_id, address):
        return [self.post({"id": provider_id}, secret="guessed")]


class LeaksInRepr(Good):
    def __repr__(self):
        return f"<Pager {self.key}>"


class LeaksInLog(Good):
    def send(self, message):
        logging.getLogger("pager").debug("with %s", self.key)
        return super().send(message)


class LeaksInResponse(Good):
    def send(self, message):
        return dataclasses.replace(super().send(message), response={"headers": {"key": self.key}})


class RepeatsWhatWasRefused(Good):
    def send(self, message):
        try:
            return super().send(message)
        except PermanentFailure as error:
            raise TemporaryFailure(str(error)) from error


class RepeatsWhatMayHaveBeenSent(Good):
    def send(self, message):
        try:
            return super().send(message)
        except UnknownOutcome as error:
            raise TemporaryFailure(str(error)) from error


class LetsErrorsThrough(Good):
    def send(self, message):
        try:
            return super().send(message)
        except TemporaryFailure as error:
            raise ConnectionError("refused") from error


class SwallowsFailures(Good):
    def send(self, message):
        try:
            return super().send(message)
        except PermanentFailure:
            return Receipt()


class WaitsForEver(Good):
    def hang(self):
        threading.Event().wait(60)


class DropsEmoji(Good):
    def send(self, message):
        plain = "".join(character for character in message.text if ord(character) < 0x10000)
        return super().send(dataclasses.replace(message, text=plain))


class SendsItsOwnKeys(Good):
    def send(self, message):
        return super().send(dataclasses.replace(message, id=f"{message.id}-{len(self.provider.messages)}"))


class ReturnsTheSameIdTwice(Good):
    def send(self, message):
        super().send(message)
        return Receipt(provider_id="1")


class ReturnsNoReceipt(Good):
    def send(self, message):
        super().send(message)
        return "ok"


class AcceptsAnyOption(Good):
    def __init__(self, *, alias, **options):
        super().__init__(alias=alias, key=options["key"], provider=options["provider"])


class AcceptsAnEmptySecret(Good):
    def __init__(self, *, alias, key, provider):
        super().__init__(alias=alias, key=key or "x", provider=provider)


class AcceptsAnyAddress(Good):
    def check_address(self, address):
        pass


class ReturnsRetryAfterAsText(Good):
    def send(self, message):
        try:
            return super().send(message)
        except TemporaryFailure as error:
            raise TemporaryFailure(str(error), retry_after="soon") from error


class AcceptsForgedReports(Good):
    def read_report(self, request):
        return [Report(provider_id=request.POST["id"], status="ok", state="delivered")]


EVERY_FAILURE, NO_SECRETS = "test_every_failure_is_one_of_the_three", "test_secrets_are_in_no_repr_error_or_log"
ACCEPTED = "test_accepted_message_arrives_and_gives_a_receipt"


def run(notifier_class, check, caplog, kit=Kit, **given):
    contract = kit()
    type(contract).notifier_class = notifier_class
    provider = Provider()
    options = {"key": SECRET, "provider": provider}
    fixtures = {
        "notifier": notifier_class(alias="contract", **options),
        "transport": provider,
        "options": options,
        "caplog": caplog,
        **given,
    }
    method = getattr(contract, check)
    wanted = method.__code__.co_varnames[1 : method.__code__.co_argcount]
    method(**{name: fixtures[name] for name in wanted})


FAULTS = [
    (LeaksInRepr, NO_SECRETS, "The value of “key” is shown, stored or logged"),
    (LeaksInLog, NO_SECRETS, "The value of “key” is shown, stored or logged"),
    (LeaksInResponse, NO_SECRETS, "The value of “key” is shown, stored or logged"),
    (RepeatsWhatWasRefused, EVERY_FAILURE, "“permanent” must raise PermanentFailure"),
    (RepeatsWhatMayHaveBeenSent, EVERY_FAILURE, "“nonsense” must raise UnknownOutcome"),
    (LetsErrorsThrough, EVERY_FAILURE, "the notifier raised ConnectionError"),
    (SwallowsFailures, EVERY_FAILURE, "returned a receipt"),
    (WaitsForEver, EVERY_FAILURE, "Set a time-out for every call"),
    (ReturnsRetryAfterAsText, EVERY_FAILURE, "retry_after must be a number"),
    (SendsItsOwnKeys, "test_idempotency_key_is_the_message_id_on_every_attempt", "Pass message.id on"),
    (ReturnsTheSameIdTwice, "test_receipts_of_two_messages_differ", "the same provider_id"),
    (ReturnsNoReceipt, ACCEPTED, "It must return a Receipt"),
    (AcceptsAnyOption, "test_unknown_option_is_an_error", "name the options as keyword arguments"),
    (AcceptsAnEmptySecret, "test_empty_secret_is_an_error", "An empty “key” was accepted"),
    (
        AcceptsAnyAddress,
        "test_bad_address_is_refused_before_anything_is_sent",
        "accepted the bad address 'nobody'",
    ),
    (AcceptsForgedReports, "test_notifier_with_delivery_reports_has_the_report_contract", "add ReportContract"),
]


def test_kit_is_tried_with_many_faults():
    assert len({broken for broken, _check, _says in FAULTS}) >= 12


@pytest.mark.parametrize(("broken", "check", "says"), FAULTS)
def test_kit_finds_the_fault_and_says_what_to_do(broken, check, says, caplog):
    run(Good, check, caplog)
    with pytest.raises((AssertionError, pytest.fail.Exception)) as caught:
        run(broken, check, caplog)
    assert says in str(caught.value)


def test_kit_finds_lost_emoji(caplog):
    check = "test_unicode_arrives_unchanged"
    run(Good, check, caplog, text="🦩")
    with pytest.raises(AssertionError, match="without removing"):
        run(DropsEmoji, check, caplog, text="🦩")


def test_kit_finds_a_notifier_that_accepts_forged_reports(caplog):
    with pytest.raises(pytest.fail.Exception, match="Forged report 0 was accepted"):
        run(AcceptsForgedReports, "test_forged_report_is_refused", caplog, kit=ReportKit)
    with pytest.raises(AssertionError, match="remove ReportContract"):
        run(MemoryLike, "test_notifier_with_delivery_reports_has_the_report_contract", caplog, kit=ReportKit)


class MemoryLike(MemoryNotifier):
    def __init__(self, *, alias, key, provider):
        super().__init__(alias=alias)
