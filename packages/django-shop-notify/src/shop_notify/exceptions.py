"""What can go wrong. Notifiers raise the three delivery failures; everything else is for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class ShopNotifyError(Exception):
    """Base of this app's errors. The text is a whole sentence that says what to do."""

    code: ClassVar[str] = "notify_error"

    def __init__(self, message: str = "", *, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.extra: Mapping[str, Any] = extra or {}


class NotAuthenticated(ShopNotifyError):
    """The caller is nobody that this operation knows."""

    code = "not_authenticated"


class PermissionMissing(ShopNotifyError):
    """The staff user lacks a Django permission."""

    code = "permission_denied"


class NotFound(ShopNotifyError):
    """There is nothing here."""

    code = "not_found"


class RouteRefused(ShopNotifyError):
    """A route in the settings cannot be understood."""

    code = "route_refused"


class UnknownNotifier(ShopNotifyError):
    """No notifier has this alias, or its class cannot be found."""

    code = "unknown_notifier"


class TemplateMissing(ShopNotifyError):
    """There is no template for an event and channel."""

    code = "template_missing"


class TemplateRefused(ShopNotifyError):
    """A template written in the admin uses what is not allowed there, or does not render."""

    code = "template_refused"


class NotRetryable(ShopNotifyError):
    """The notification is in a state from which it is not sent again."""

    code = "not_retryable"


class AddressRefused(ShopNotifyError):
    """The address is not one that this notifier can send to."""

    code = "address_refused"


class NotMutable(ShopNotifyError):
    """The event group is transactional, or unknown, and has no preference."""

    code = "not_mutable"


class ReportRefused(ShopNotifyError):
    """A delivery report does not prove that it comes from the provider. Nothing of it is kept."""

    code = "report_refused"


class DeliveryFailure(ShopNotifyError):
    """Base of what ``Notifier.send`` may raise. ``provider_code`` is the provider's own word for it."""

    code = "delivery_failure"

    def __init__(self, message: str = "", *, provider_code: str = "") -> None:
        super().__init__(message)
        self.provider_code = provider_code


class TemporaryFailure(DeliveryFailure):
    """Not sent, and worth another try. ``retry_after`` is in seconds, where the provider named it."""

    code = "temporary_failure"

    def __init__(self, message: str = "", *, provider_code: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, provider_code=provider_code)
        self.retry_after = retry_after


class PermanentFailure(DeliveryFailure):
    """Not sent, and the same message would be refused again.

    ``suppress`` names a reason (``bounce``, ``complaint``, ``stop``, ``gone``) to write to this address no more.
    """

    code = "permanent_failure"

    def __init__(self, message: str = "", *, provider_code: str = "", suppress: str = "") -> None:
        super().__init__(message, provider_code=provider_code)
        self.suppress = suppress


class UnknownOutcome(DeliveryFailure):
    """The provider may have sent it: the connection broke, or the answer made no sense."""

    code = "unknown_outcome"
