# ruff: noqa: S101 - a test kit asserts
"""The published test kit for notifiers. It needs pytest; new checks warn for one minor release before they fail."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from shop_notify.exceptions import AddressRefused, PermanentFailure, TemporaryFailure, UnknownOutcome
from shop_notify.notifiers.base import Message, Notifier, Receipt


class Transport:
    """A stand-in for a provider. Subclass it, over a local server or whatever the notifier speaks to.

    ``behave`` sets how it answers from now on: ``accept``, ``temporary``, ``permanent``, ``rate_limit``, ``refuse``
    (nobody listens) or ``time_out`` (no answer). A mode that a provider cannot have is left out of ``modes``.
    """

    modes: ClassVar[frozenset[str]] = frozenset(
        {"accept", "temporary", "permanent", "rate_limit", "refuse", "time_out"}
    )

    def behave(self, mode: str) -> None:
        raise NotImplementedError

    def received(self) -> list[Mapping[str, Any]]:
        """What arrived: ``{"to", "text"}``, and ``"key"`` where the provider takes an idempotency key."""
        raise NotImplementedError


class NotifierContract:
    """Subclass it as ``TestMine(NotifierContract)``, set ``notifier_class``, and give ``transport`` and ``options``.

    The notifier is built with ``options`` exactly as the settings' OPTIONS would build it.
    """

    notifier_class: ClassVar[type[Notifier]]
    address: ClassVar[str]
    bad_addresses: ClassVar[tuple[str, ...]] = ()
    max_seconds: ClassVar[float] = 20.0

    @pytest.fixture
    def transport(self) -> Iterator[Transport]:
        raise NotImplementedError

    @pytest.fixture
    def options(self, transport: Transport) -> Mapping[str, Any]:
        raise NotImplementedError

    @pytest.fixture
    def notifier(self, options: Mapping[str, Any]) -> Notifier:
        return self.notifier_class(alias="contract", **options)

    def message(self, **changes: Any) -> Message:
        values = {"id": "5f0c9d1e-0000-4000-8000-000000000001", "event": "contract", "to": self.address}
        return Message(**{**values, "subject": "Contract", "text": "Hello", **changes})

    def test_it_names_its_channel(self) -> None:
        assert self.notifier_class.channel.isidentifier()

    def test_accepted_message_arrives_and_gives_a_receipt(self, notifier: Notifier, transport: Transport) -> None:
        transport.behave("accept")
        receipt = notifier.send(self.message())
        assert isinstance(receipt, Receipt)
        (arrived,) = transport.received()
        assert arrived["to"] == self.address
        assert "Hello" in arrived["text"]

    @pytest.mark.parametrize("text", ["Ħello ñandú", "اهلا", "🦩🎉", "a\nb"])
    def test_unicode_arrives_as_it_is(self, notifier: Notifier, transport: Transport, text: str) -> None:
        transport.behave("accept")
        notifier.send(self.message(text=text))
        assert text in transport.received()[0]["text"]

    def test_long_text_is_sent_or_refused_but_does_not_break(self, notifier: Notifier, transport: Transport) -> None:
        transport.behave("accept")
        try:
            notifier.send(self.message(text="long " * 2000))
        except PermanentFailure:
            assert transport.received() == []

    def test_temporary_failure_of_the_provider_is_temporary(self, notifier: Notifier, transport: Transport) -> None:
        self._need(transport, "temporary")
        transport.behave("temporary")
        with pytest.raises(TemporaryFailure):
            notifier.send(self.message())

    def test_refusal_of_the_provider_is_permanent(self, notifier: Notifier, transport: Transport) -> None:
        self._need(transport, "permanent")
        transport.behave("permanent")
        with pytest.raises(PermanentFailure):
            notifier.send(self.message())

    def test_rate_limit_is_temporary(self, notifier: Notifier, transport: Transport) -> None:
        self._need(transport, "rate_limit")
        transport.behave("rate_limit")
        with pytest.raises(TemporaryFailure):
            notifier.send(self.message())

    def test_refused_connection_is_temporary(self, notifier: Notifier, transport: Transport) -> None:
        self._need(transport, "refuse")
        transport.behave("refuse")
        with pytest.raises(TemporaryFailure):
            notifier.send(self.message())

    def test_silence_ends_with_an_unknown_outcome(self, notifier: Notifier, transport: Transport) -> None:
        self._need(transport, "time_out")
        transport.behave("time_out")
        with pytest.raises(UnknownOutcome):
            notifier.send(self.message())

    def test_bad_address_is_refused_before_anything_is_sent(self, notifier: Notifier, transport: Transport) -> None:
        transport.behave("accept")
        for address in self.bad_addresses:
            with pytest.raises(AddressRefused):
                notifier.check_address(address)
        assert transport.received() == []

    def test_unknown_option_is_an_error(self, options: Mapping[str, Any]) -> None:
        with pytest.raises(TypeError):
            self.notifier_class(alias="contract", **{**options, "no_such_option": 1})

    def test_secrets_are_in_no_repr_error_or_log(
        self, notifier: Notifier, transport: Transport, options: Mapping[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        said = [repr(notifier), str(notifier)]
        for mode in sorted(transport.modes - {"time_out"}):
            transport.behave(mode)
            try:
                notifier.send(self.message())
            except (TemporaryFailure, PermanentFailure, UnknownOutcome) as error:
                said += [str(error), repr(error)]
        said += [record.getMessage() for record in caplog.records]
        for name in self.notifier_class.secret_options:
            values = options.get(name) or ()
            for value in [values] if isinstance(values, str) else values:
                assert all(str(value) not in text for text in said), name

    def _need(self, transport: Transport, mode: str) -> None:
        if mode not in transport.modes:
            pytest.skip(f"this provider cannot {mode}")
