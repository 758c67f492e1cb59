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
    ReportRefused,
    SetupFailure,
    TemporaryFailure,
    UnknownOutcome,
)
from shop_notify.testing import NotifierContract, ReportContract, Transport

SECRET = "key-that-nobody-sees"
FAILURES = {
    "temporary": TemporaryFailure("busy", retry_after=5),
    "permanent": PermanentFailure("no"),
    "rate_limit": TemporaryFailure("slow down"),
    "unauthorised": SetupFailure("wrong key"),
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
        return [self.post({"id": provider_id}, secret=secret) for secret in ("guessed", "")]


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


class GivesUpForAWrongKey(Good):
    def send(self, message):
        try:
            return super().send(message)
        except SetupFailure as error:
            raise PermanentFailure(str(error)) from error


class HoldsAllMessagesForOne(Good):
    def send(self, message):
        try:
            return super().send(message)
        except TemporaryFailure as error:
            raise SetupFailure(str(error)) from error


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


class GoodReports(Good):
    """Its reports are ``{"id", "status"}``, and each request has the secret in its address."""

    def read_report(self, request):
        self.authenticate(request)
        return self.reports(request)

    def authenticate(self, request):
        if request.resolver_match.kwargs["secret"] != "s":
            raise ReportRefused("wrong secret")

    def reports(self, request):
        return [Report(provider_id=request.POST["id"], status="ok", state="delivered")]

    def changed(self, request, **values):
        (report,) = GoodReports.reports(self, request)
        return [dataclasses.replace(report, **values)]


class ReportsNothing(GoodReports):
    def reports(self, request):
        return []


class ReportsTwice(GoodReports):
    def reports(self, request):
        return super().reports(request) * 2


class ReturnsOneReportWithoutAList(GoodReports):
    def reports(self, request):
        return super().reports(request)[0]


class ReturnsNone(GoodReports):
    def reports(self, request):
        return None


class ReturnsPlainDictionaries(GoodReports):
    def reports(self, request):
        return [{"provider_id": request.POST["id"], "state": "delivered"}]


class ReportsAnotherMessage(GoodReports):
    def reports(self, request):
        return self.changed(request, provider_id="id-0")


class ReportsTheProvidersWordAsState(GoodReports):
    def reports(self, request):
        return self.changed(request, state="Success")


class ReportsSentInsteadOfDelivered(GoodReports):
    def reports(self, request):
        return self.changed(request, state="sent")


class ReportsAnotherAddress(GoodReports):
    def reports(self, request):
        return self.changed(request, address="4712")


class ReportsANumberAsStatus(GoodReports):
    def reports(self, request):
        return self.changed(request, status=200)


class CountsItsReports(GoodReports):
    seen = 0

    def reports(self, request):
        self.seen += 1
        return self.changed(request, detail=f"report {self.seen}")


class NeedsAnotherHeader(GoodReports):
    def authenticate(self, request):
        if "X-Signature" not in request.headers:
            raise ReportRefused("no signature")


class RaisesOnAGoodReport(GoodReports):
    def reports(self, request):
        return [Report(provider_id=request.POST["MessageSid"], status="ok", state="delivered")]


class IgnoresForgedReportsSilently(GoodReports):
    def read_report(self, request):
        try:
            return super().read_report(request)
        except ReportRefused:
            return []


class RaisesAnotherErrorForForgedReports(GoodReports):
    def authenticate(self, request):
        if request.resolver_match.kwargs["secret"] != "s":
            raise PermissionError("wrong secret")


class AcceptsAnEmptySecretInTheAddress(GoodReports):
    def authenticate(self, request):
        if request.resolver_match.kwargs["secret"] not in ("s", ""):
            raise ReportRefused("wrong secret")


class AcceptsForgedReports(GoodReports):
    def authenticate(self, request):
        pass


EVERY_FAILURE, NO_SECRETS = "test_every_failure_is_one_of_the_four", "test_secrets_are_in_no_repr_error_or_log"
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
    (GivesUpForAWrongKey, EVERY_FAILURE, "“unauthorised” must raise SetupFailure"),
    (HoldsAllMessagesForOne, EVERY_FAILURE, "“rate_limit” concerns one message"),
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


READ, FORGED = "test_report_of_the_provider_is_read", "test_forged_report_is_refused"
REPORT_FAULTS = [
    (ReportsNothing, READ, "read_report returned 0 reports"),
    (ReportsTwice, READ, "read_report returned 2 reports"),
    (ReturnsOneReportWithoutAList, READ, "It must return a list of Reports"),
    (ReturnsNone, READ, "It must return a list of Reports"),
    (ReturnsPlainDictionaries, READ, "It must return a list of Reports"),
    (ReportsAnotherMessage, READ, "Take provider_id from the request"),
    (ReportsTheProvidersWordAsState, READ, "Translate the provider's word"),
    (ReportsSentInsteadOfDelivered, READ, "was read as ('id-1', 'sent')"),
    (ReportsAnotherAddress, READ, "It names the address 4712"),
    (ReportsANumberAsStatus, READ, "status must be text"),
    (NeedsAnotherHeader, READ, "Let `report` build it as the provider does"),
    (RaisesOnAGoodReport, READ, "Read the fields that the provider sends"),
    (CountsItsReports, "test_same_report_twice_reads_the_same", "leave out times and counters"),
    (AcceptsForgedReports, FORGED, "Forged report 0 was accepted"),
    (IgnoresForgedReportsSilently, FORGED, "Forged report 0 was accepted"),
    (RaisesAnotherErrorForForgedReports, FORGED, "Raise ReportRefused instead"),
    (AcceptsAnEmptySecretInTheAddress, FORGED, "Forged report 1 was accepted"),
]


def test_report_kit_is_tried_with_many_faults():
    assert len({broken for broken, _check, _says in REPORT_FAULTS}) >= 12


@pytest.mark.parametrize(("broken", "check", "says"), REPORT_FAULTS)
def test_report_kit_finds_the_fault_and_says_what_to_do(broken, check, says, caplog):
    run(GoodReports, check, caplog, kit=ReportKit)
    with pytest.raises((AssertionError, pytest.fail.Exception)) as caught:
        run(broken, check, caplog, kit=ReportKit)
    assert says in str(caught.value)


def test_kit_finds_a_class_with_the_wrong_contract(caplog):
    with pytest.raises(AssertionError, match="remove ReportContract"):
        run(MemoryLike, "test_notifier_with_delivery_reports_has_the_report_contract", caplog, kit=ReportKit)


class MemoryLike(MemoryNotifier):
    def __init__(self, *, alias, key, provider):
        super().__init__(alias=alias)
