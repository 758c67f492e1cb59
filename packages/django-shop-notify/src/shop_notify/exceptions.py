"""Errors, each with a stable ``code``. Notifiers raise AddressRefused, ReportRefused and four delivery failures."""

from __future__ import annotations

from django.utils.translation import gettext as _
from shop_core.exceptions import ShopError


class ShopNotifyError(ShopError):
    """Base of this app's errors. The text is a whole sentence that says what to do."""

    code = "notify_error"
    problems = "shop_notify.api.problems.PROBLEMS"

    @classmethod
    def default_message(cls) -> str:
        return _("The message could not be sent.")


class NotFound(ShopNotifyError):
    """There is no such row."""

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
    """A template written in the admin uses a tag, filter or size that is not allowed, or does not render."""

    code = "template_refused"


class NotRetryable(ShopNotifyError):
    """The notification is not sent again: its state does not allow it, it has a secret, or the form was sent twice."""

    code = "not_retryable"


class AddressRefused(ShopNotifyError):
    """The notifier cannot send to this address."""

    code = "address_refused"


class NotMutable(ShopNotifyError):
    """The event group is transactional, or unknown, and has no preference."""

    code = "not_mutable"


class TextRefused(ShopNotifyError):
    """A text is too long for its column, or has a character that cannot be stored."""

    code = "text_refused"


class ReportRefused(ShopNotifyError):
    """A delivery report does not prove that it comes from the provider. It is not stored."""

    code = "report_refused"


class DeliveryFailure(ShopNotifyError):
    """Base of the failures that ``Notifier.send`` may raise.

    The text is shown to staff; ``provider_code`` is the provider's own code.
    """

    code = "delivery_failure"

    @classmethod
    def default_message(cls) -> str:
        return ""

    def __init__(self, message: str = "", *, provider_code: str = "") -> None:
        super().__init__(message)
        self.provider_code = provider_code


class TemporaryFailure(DeliveryFailure):
    """Not sent; a later attempt may succeed. ``retry_after`` is in seconds, if the provider named it."""

    code = "temporary_failure"

    def __init__(self, message: str = "", *, provider_code: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, provider_code=provider_code)
        self.retry_after = retry_after


class PermanentFailure(DeliveryFailure):
    """Not sent; the same message would be refused again.

    ``suppress`` names a reason (``bounce``, ``complaint``, ``stop``, ``gone``) to suppress the address.
    """

    code = "permanent_failure"

    def __init__(self, message: str = "", *, provider_code: str = "", suppress: str = "") -> None:
        super().__init__(message, provider_code=provider_code)
        self.suppress = suppress


class SetupFailure(TemporaryFailure):
    """Not sent: the provider refuses the notifier's set-up, such as its key or sender, so it would refuse any message.

    The message is kept and no attempt is counted. Staff are alarmed once, and the alias is tried every five minutes.
    """

    code = "setup_failure"


class UnknownOutcome(DeliveryFailure):
    """The provider may have sent it: the connection broke, or the response could not be read."""

    code = "unknown_outcome"
