"""Request bodies of the staff operations."""

from typing import Annotated, Literal

from pydantic import Field
from shop_core.api.types import In, Money, ShortText, Text

Positive = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
Status = Literal["", "pending", "confirmed", "processing", "shipped", "delivered", "cancelled"]
PaymentStatus = Literal["", "unpaid", "authorised", "paid", "part_refunded", "refunded", "failed"]


class ExpectedIn(In):
    """With ``expected_version``, the ``version`` of the order that the caller has read, a change is refused with
    ``order_changed`` if the order has changed since then."""

    expected_version: Annotated[ShortText, Field(max_length=50)] = ""


class ChangeIn(ExpectedIn):
    notify: bool = True


class StateIn(ChangeIn):
    state: Annotated[ShortText, Field(max_length=30)]
    """One of ``allowed_states``; "" takes the order out of its state."""


class ConfirmIn(ChangeIn):
    """An order that waits for an online payment is refused with ``order_unpaid``, unless ``accept_unpaid`` is true."""

    accept_unpaid: bool = False


class StaffCancelIn(ChangeIn):
    reason: ShortText = ""


class ItemIn(In):
    """Units of a ``line`` of the order, such as ``#2``, or of a ``product`` while only one line has it."""

    line: Annotated[ShortText, Field(max_length=50)] = ""
    product: ShortText = ""
    quantity: Positive


class ShipIn(ChangeIn):
    """Without ``lines``, all units that are left are shipped: those that are neither shipped nor cancelled."""

    lines: Annotated[list[ItemIn], Field(max_length=500)] = []
    carrier: Annotated[ShortText, Field(max_length=100)] = ""
    tracking_number: Annotated[ShortText, Field(max_length=100)] = ""
    tracking_url: Annotated[ShortText, Field(pattern=r"^(https?://\S+)?$")] = ""


class RefundIn(ChangeIn):
    """Without ``amount``, refunds what ``lines`` and ``shipping`` cost the customer, or everything that is refundable.

    A refund first uses up ``refund_due``. What exceeds it is credited. With ``credit: false`` it is not, and the
    customer owes it again. ``restock`` lists returned goods that can be sold again. ``cancel`` lists the units of
    ``lines`` that will not be sent. Without it, these are all units of ``lines`` that were not shipped, or none with
    ``credit: false``. With ``[]``, all units are sent although they are refunded.
    """

    amount: Money | None = None
    lines: Annotated[list[ItemIn], Field(max_length=500)] = []
    shipping: bool = False
    credit: bool = True
    reason: ShortText = ""
    restock: Annotated[list[ItemIn], Field(max_length=500)] = []
    cancel: Annotated[list[ItemIn], Field(max_length=500)] | None = None


class CancelUnitsIn(ChangeIn):
    """Without ``lines``, all units that were not shipped are cancelled."""

    lines: Annotated[list[ItemIn], Field(max_length=500)] = []
    reason: ShortText = ""


class RestockIn(ExpectedIn):
    """``credit``: the customer no longer owes these goods; what was paid for them shows as refund due."""

    lines: Annotated[list[ItemIn], Field(min_length=1, max_length=500)]
    credit: bool = False
    reason: ShortText = ""


class RecordPaymentIn(ChangeIn):
    amount: Money | None = None
    payment_provider: Annotated[ShortText, Field(max_length=50)] = ""


class ResolvePaymentIn(ChangeIn):
    """``amount`` is the amount received, in the order's currency. Send 0 if nothing was received."""

    amount: Money


class RecordProviderRefundIn(ChangeIn):
    """``amount``, in the order's currency, was refunded at the provider but is not recorded. Send 0 for none."""

    amount: Money
    reference: Annotated[ShortText, Field(max_length=255)] = ""
    reason: ShortText = ""


class ResolveDisputeIn(ExpectedIn):
    """``amount`` is the money that the provider has taken back for the dispute, in the order's currency; 0 for none.

    ``reference`` is the provider's id of the dispute, empty for one without an id. It is needed where several disputes
    of the payment are held. With ``is_lost`` the customer owes nothing for the amount.
    """

    amount: Money
    reason: Annotated[ShortText, Field(min_length=1)]
    reference: Annotated[ShortText, Field(max_length=255)] | None = None
    is_lost: bool = False


class ResolveRefundIn(ChangeIn):
    """``succeeded`` says whether the customer got the money, as the provider's page shows."""

    succeeded: bool
    reason: ShortText = ""


class NoteIn(In):
    text: Annotated[Text, Field(min_length=1, max_length=2000)]
    is_public: bool = False
