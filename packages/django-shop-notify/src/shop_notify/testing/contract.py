"""The published test kit for notifiers. It needs pytest; new checks warn for one minor release before they fail."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import ResolverMatch

from shop_notify.exceptions import (
    AddressRefused,
    DeliveryFailure,
    PermanentFailure,
    ReportRefused,
    SetupFailure,
    TemporaryFailure,
    UnknownOutcome,
)
from shop_notify.notifiers.base import Message, Notifier, Receipt, Report
from shop_notify.notifiers.time_limit import TimeLimitExceeded, time_limit

MESSAGE_ID = "5f0c9d1e-0000-4000-8000-000000000001"
FAILURES: Mapping[str, type[DeliveryFailure]] = {
    "temporary": TemporaryFailure,
    "permanent": PermanentFailure,
    "rate_limit": TemporaryFailure,
    "unauthorised": SetupFailure,
    "refuse": TemporaryFailure,
    "time_out": UnknownOutcome,
    "nonsense": UnknownOutcome,
}
"""How a provider may fail, and the failure that the notifier must raise for it."""

STATES = ("sent", "delivered", "read", "failed")
"""The states of a delivery report."""


class Transport:
    """A stand-in for a provider. Subclass it, for example with a local server."""

    def behave(self, mode: str) -> None:
        """Respond in this way from now on; ``mode`` is one of the contract's ``modes``."""
        raise NotImplementedError

    def received(self) -> Sequence[Mapping[str, Any]]:
        """The messages that arrived, in order: ``{"to", "text"}``, and ``"key"`` if there is an idempotency key."""
        raise NotImplementedError


class NotifierContract:
    """Subclass it as ``TestMine(NotifierContract)``, set its attributes, and write ``transport`` and ``options``.

    The notifier is created with ``options``, as the settings create it with OPTIONS.
    """

    notifier_class: ClassVar[type[Notifier]]
    address: ClassVar[str]
    bad_addresses: ClassVar[tuple[str, ...]] = ()
    modes: ClassVar[frozenset[str]] = frozenset(FAILURES)
    """How the provider can fail: ``temporary``, ``permanent``, ``rate_limit``, ``unauthorised`` (it refuses the key or
    the sender), ``refuse`` (no connection), ``time_out`` (no response), ``nonsense`` (an unreadable response). Leave
    out the modes that cannot occur; ``accept`` is always needed.
    """
    sends_idempotency_key: ClassVar[bool] = False
    """The notifier sends an idempotency key, and ``received`` returns it as ``key``."""
    keeps_text: ClassVar[bool] = True
    """The text arrives unchanged; False for a provider that renders templates of its own."""
    max_seconds: ClassVar[float] = 20.0
    """The longest time for one message."""

    @pytest.fixture
    def transport(self) -> Iterator[Transport]:
        """The stand-in for the provider."""
        raise NotImplementedError("Write a fixture `transport` that returns or yields your Transport.")

    @pytest.fixture
    def options(self, transport: Transport) -> Mapping[str, Any]:
        """The notifier's OPTIONS, with the address of ``transport`` in place of the provider's."""
        raise NotImplementedError("Write a fixture `options(transport)` that returns the notifier's OPTIONS.")

    @pytest.fixture
    def notifier(self, options: Mapping[str, Any]) -> Notifier:
        """Built from ``notifier_class`` and ``options``; rarely overridden."""
        return self.notifier_class(alias="contract", **options)

    def message(self, **changes: Any) -> Message:
        """A message to ``address``, for checks of your own."""
        values = {"id": MESSAGE_ID, "event": "contract", "to": self.address, "subject": "Contract", "text": "Hello"}
        return Message(**{**values, **changes})

    # Sending

    def test_channel_has_a_valid_name(self) -> None:
        channel = self.notifier_class.channel
        assert channel.replace("-", "_").isidentifier(), (
            f"“{channel}” cannot be the name of a channel: use a name like sms."
        )

    def test_accepted_message_arrives_and_gives_a_receipt(self, notifier: Notifier, transport: Transport) -> None:
        transport.behave("accept")
        receipt = notifier.send(self.message())
        assert isinstance(receipt, Receipt), f"send returned {receipt!r}. It must return a Receipt or raise a failure."
        assert isinstance(receipt.provider_id, str), "provider_id of the receipt must be text."
        (arrived,) = transport.received()
        assert arrived["to"] == self.address, f"It went to {arrived['to']}, not to message.to."
        if self.keeps_text:
            assert "Hello" in arrived["text"], f"“Hello” arrived as “{arrived['text']}”."

    def test_receipts_of_two_messages_differ(self, notifier: Notifier, transport: Transport) -> None:
        transport.behave("accept")
        other = MESSAGE_ID.replace("1", "2")
        receipts = [notifier.send(self.message()), notifier.send(self.message(id=other))]
        ids = [receipt.provider_id for receipt in receipts if receipt.provider_id]
        assert len(ids) == len(set(ids)), (
            "Two messages have the same provider_id: delivery reports could not distinguish them."
        )

    @pytest.mark.parametrize("text", ["Ħello ñandú", "اهلا وسهلا", "🦩🎉👩‍👩‍👧", "first\nsecond", "<b>&amp;</b>"])
    def test_unicode_arrives_unchanged(self, notifier: Notifier, transport: Transport, text: str) -> None:
        transport.behave("accept")
        notifier.send(self.message(text=text))
        if self.keeps_text:
            arrived = transport.received()[0]["text"].replace("\r\n", "\n")
            assert text in arrived, f"“{text}” arrived as “{arrived}”. Encode it as UTF-8 without removing characters."

    def test_long_text_is_sent_or_refused_but_does_not_break(self, notifier: Notifier, transport: Transport) -> None:
        transport.behave("accept")
        try:
            notifier.send(self.message(text="long " * 2000))
        except PermanentFailure:
            assert list(transport.received()) == [], "It was refused, but something arrived."

    def test_line_breaks_in_the_subject_do_no_harm(self, notifier: Notifier, transport: Transport) -> None:
        transport.behave("accept")
        try:
            notifier.send(self.message(subject="one\r\nBcc: spy@example.org", name="N\r\nX: y"))
        except PermanentFailure:
            return
        reached = [arrived["to"] for arrived in transport.received()]
        assert reached == [self.address], f"A line break in the subject or name sent it to {reached}."

    def test_idempotency_key_is_the_message_id_on_every_attempt(
        self, notifier: Notifier, transport: Transport
    ) -> None:
        transport.behave("accept")
        for _ in range(2):
            notifier.send(self.message())
        keys = [arrived.get("key") for arrived in transport.received()]
        if self.sends_idempotency_key:
            assert keys == [MESSAGE_ID] * 2, f"Pass message.id on as the idempotency key; {keys} arrived."
        else:
            assert keys == [None] * 2, f"The key {keys} arrived: set sends_idempotency_key = True."

    # Failing

    def test_every_failure_is_one_of_the_four(self, notifier: Notifier, transport: Transport) -> None:
        for mode in self._in_order(self.modes):
            transport.behave(mode)
            failure = self._failure(notifier, mode)
            assert isinstance(failure, FAILURES[mode]), (
                f"“{mode}” must raise {FAILURES[mode].__name__}; the notifier raised {failure!r}."
            )
            assert mode == "unauthorised" or not isinstance(failure, SetupFailure), (
                f"“{mode}” concerns one message, and {failure!r} would hold all of them. Raise SetupFailure only if "
                "the provider would refuse every message."
            )
            wait = getattr(failure, "retry_after", None)
            assert wait is None or isinstance(wait, int | float), f"retry_after must be a number, not {wait!r}."

    def test_next_message_after_a_failure_is_sent(self, notifier: Notifier, transport: Transport) -> None:
        for mode in sorted(self.modes & {"temporary", "permanent", "nonsense"}):
            transport.behave(mode)
            with pytest.raises(DeliveryFailure):
                notifier.send(self.message())
        transport.behave("accept")
        assert isinstance(notifier.send(self.message()), Receipt), (
            "A failure must not affect the next message: keep no state between messages."
        )

    def test_bad_address_is_refused_before_anything_is_sent(self, notifier: Notifier, transport: Transport) -> None:
        transport.behave("accept")
        for address in self.bad_addresses:
            try:
                notifier.check_address(address)
            except AddressRefused:
                continue
            pytest.fail(f"check_address accepted the bad address {address!r}. It must raise AddressRefused.")
        assert list(transport.received()) == [], "check_address has sent something."

    def test_good_address_passes(self, notifier: Notifier) -> None:
        notifier.check_address(self.address)

    # Options and secrets

    def test_unknown_option_is_an_error(self, options: Mapping[str, Any]) -> None:
        try:
            self.notifier_class(alias="contract", **{**options, "no_such_option": 1})
        except TypeError:
            return
        pytest.fail(
            "An option that does not exist was accepted: name the options as keyword arguments, without **options."
        )

    def test_empty_secret_is_an_error(self, options: Mapping[str, Any]) -> None:
        required = {name for name in self.notifier_class.secret_options & set(options) if name != "report_secret"}
        for name in required:
            try:
                self.notifier_class(alias="contract", **{**options, name: type(options[name])()})
            except ValueError as error:
                assert str(error), "The ValueError must say what is missing, and where to get it."  # noqa: PT017
            else:
                pytest.fail(f"An empty “{name}” was accepted. Raise a ValueError that says what is missing.")

    def test_secrets_are_in_no_repr_error_or_log(
        self,
        notifier: Notifier,
        transport: Transport,
        options: Mapping[str, Any],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        shown = [repr(notifier), str(notifier)]
        for mode in ["accept", *self._in_order(self.modes - {"time_out"})]:
            transport.behave(mode)
            try:
                shown.append(repr(notifier.send(self.message())))
            except DeliveryFailure as error:
                shown += [str(error), repr(error), repr(error.__cause__)]
        shown += [record.getMessage() for record in caplog.records]
        for name in self.notifier_class.secret_options:
            values = options.get(name) or ()
            for value in [values] if isinstance(values, str) else values:
                leaks = [text for text in shown if str(value) in text]
                assert not leaks, f"The value of “{name}” is shown, stored or logged: {leaks[0][:300]}"

    def test_notifier_with_delivery_reports_has_the_report_contract(self) -> None:
        if self.notifier_class.takes_reports():
            assert isinstance(self, ReportContract), (
                "The notifier has read_report: add ReportContract to the bases of this class."
            )
        else:
            assert not isinstance(self, ReportContract), (
                "The notifier has no read_report: remove ReportContract from the bases of this class."
            )

    def _failure(self, notifier: Notifier, mode: str) -> DeliveryFailure:
        try:
            with time_limit(self.max_seconds):
                notifier.send(self.message())
        except DeliveryFailure as failure:
            return failure
        except TimeLimitExceeded:
            pytest.fail(f"“{mode}”: no result after {self.max_seconds} seconds. Set a time-out for every call.")
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            pytest.fail(f"“{mode}” must raise {FAILURES[mode].__name__}; the notifier raised {error!r}.")
        pytest.fail(f"“{mode}” must raise {FAILURES[mode].__name__}; the notifier returned a receipt.")

    @staticmethod
    def _in_order(modes: Iterable[str]) -> list[str]:
        """``refuse`` comes last, since it stops the server."""
        return sorted(modes, key=lambda mode: (mode == "refuse", mode))


class ReportContract:
    """The contract for delivery reports: ``class TestMine(ReportContract, NotifierContract)``."""

    address: ClassVar[str]

    def report(self, *, provider_id: str, address: str) -> HttpRequest:
        """A request as the provider sends it when a message was delivered."""
        raise NotImplementedError

    def forged_reports(self, *, provider_id: str, address: str) -> Sequence[HttpRequest]:
        """Requests that an attacker might send."""
        raise NotImplementedError

    def post(self, data: Any, *, secret: str = "", content_type: str = "", **headers: str) -> HttpRequest:
        """A request to the report URL: a form, or with ``content_type`` raw bytes or JSON.

        Headers are keywords, such as ``x_signature="..."`` for ``X-Signature``.
        """
        factory = RequestFactory(headers=headers)
        url = f"/reports/contract/{secret}/"
        request = factory.post(url, data, content_type=content_type) if content_type else factory.post(url, data)
        request.resolver_match = ResolverMatch(lambda: None, (), {"alias": "contract", "secret": secret})
        return request

    def test_report_of_the_provider_is_read(self, notifier: Notifier) -> None:
        reports = self._read(notifier)
        assert len(reports) == 1, f"read_report returned {len(reports)} reports. The request reports one delivery."
        (report,) = reports
        assert report.state in STATES, (
            f"The state is {report.state!r}. Translate the provider's word to one of {STATES}."
        )
        read = (report.provider_id, report.state)
        assert read == ("id-1", "delivered"), (
            f"The report that id-1 was delivered was read as {read}. Take provider_id from the request: it is the "
            "one that send returned."
        )
        assert isinstance(report.status, str), (
            f"status must be text, as the provider writes it, not {report.status!r}."
        )
        assert report.address in {"", self.address}, (
            f"It names the address {report.address}. Leave it out, or return the one to which the message was sent."
        )

    def test_forged_report_is_refused(self, notifier: Notifier) -> None:
        forged = self.forged_reports(provider_id="id-1", address=self.address)
        assert forged, "Return requests that an attacker might send, such as one without the secret."
        for number, request in enumerate(forged):
            try:
                list(notifier.read_report(request))
            except ReportRefused:
                continue
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything
                pytest.fail(f"Forged report {number}: read_report raised {error!r}. Raise ReportRefused instead.")
            pytest.fail(f"Forged report {number} was accepted. Authenticate first, and raise ReportRefused.")

    def test_same_report_twice_reads_the_same(self, notifier: Notifier) -> None:
        """The app recognises a duplicate report by its equal values."""
        read = [self._read(notifier) for _ in range(2)]
        assert read[0] == read[1], "The same request is read as two different reports: leave out times and counters."

    def _read(self, notifier: Notifier) -> list[Report]:
        """The reports in a request of the provider."""
        request = self.report(provider_id="id-1", address=self.address)
        try:
            found = notifier.read_report(request)
            reports = list(found) if isinstance(found, Iterable) else None
        except ReportRefused as error:
            pytest.fail(
                f"The provider's own report was refused: {error}. Let `report` build it as the provider does, "
                "with its secret or signature, and let read_report accept it."
            )
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            pytest.fail(
                f"read_report raised {error!r}. Read the fields that the provider sends, as `report` has them."
            )
        if reports is None or not all(isinstance(report, Report) for report in reports):
            pytest.fail(f"read_report returned {found!r}. It must return a list of Reports.")
        return reports
