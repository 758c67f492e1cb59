"""Request and response bodies. Money is text with the currency's decimals; no response holds a database key."""

from typing import Annotated, Any

from pydantic import BaseModel, Field
from shop_core.api.types import In, Money, ShortText, Text, Time

ProductRef = Annotated[ShortText, Field(min_length=1)]


class AddItemIn(In):
    """``options`` are the texts that the buyer typed, by their names: at most 10, together at most 2,048 bytes."""

    product: ProductRef
    quantity: Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)] = 1
    options: dict[str, Text] = Field(default_factory=dict)


class CartLineIn(In):
    """``line``, or ``product`` while only one line has it."""

    line: Annotated[ShortText, Field(max_length=50)] = ""
    product: ShortText = ""


class SetQuantityIn(CartLineIn):
    quantity: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]


class RemoveItemIn(CartLineIn):
    pass


class AddressIn(In):
    name: ShortText = ""
    company: ShortText = ""
    line1: ShortText
    line2: ShortText = ""
    city: Annotated[ShortText, Field(max_length=100)]
    region: Annotated[ShortText, Field(max_length=100)] = ""
    postal_code: Annotated[ShortText, Field(max_length=20)] = ""
    country: Annotated[str, Field(pattern=r"^[A-Za-z]{2}$")]
    phone: Annotated[ShortText, Field(max_length=30)] = ""


class ContactIn(In):
    name: ShortText = ""
    email: Annotated[ShortText, Field(max_length=254)] = ""
    phone: Annotated[ShortText, Field(max_length=30)] = ""


class ReminderIn(In):
    """Without an address, that of the customer is used. Guests need one."""

    email: Annotated[ShortText, Field(max_length=254)] = ""


class ReminderOut(BaseModel):
    agreed: bool
    email: str


class PlaceOrderIn(In):
    contact: ContactIn = Field(default_factory=ContactIn)
    shipping_address: AddressIn | None = None
    billing_address: AddressIn | None = None
    delivery: Annotated[ShortText, Field(max_length=100)] = ""
    payment_provider: Annotated[ShortText, Field(max_length=50)] = ""
    note: Annotated[Text, Field(max_length=2000)] = ""
    expected_total: Money | None = None


class CancelIn(In):
    reason: ShortText = ""


class StartPaymentIn(In):
    payment_provider: Annotated[ShortText, Field(max_length=50)] = ""
    phone: Annotated[ShortText, Field(max_length=30)] = ""
    return_url: Annotated[ShortText, Field(max_length=500)] = ""


class TaxedOut(BaseModel):
    """The net amount and the tax of a line, shipping or a fee, after its share of the discounts. The tax is added to
    the price or included in it. Null if not known.
    """

    discount: str | None
    tax_rate: str | None
    """``0.16`` for 16 %; null without tax, with several rates, or if the rate is not known."""
    net: str | None
    tax: str | None


class CartLineOut(TaxedOut):
    line: str
    product: str
    sku: str
    name: str
    options: dict[str, str]
    quantity: int
    unit_price: str | None
    price_when_added: str
    line_total: str | None
    available: int | None
    url: str
    image: str
    changes: list[str]
    """gone, unreadable, price_changed, short, too_many or options_refused."""
    problem: str
    """The reason for unreadable, too_many or options_refused; otherwise ""."""


class ChargeOut(TaxedOut):
    kind: str
    label: str
    amount: str
    is_included: bool


class TaxLineOut(BaseModel):
    """The tax at one rate. ``rate`` is null for an amount of tax without a rate, ``base`` if it is not known."""

    label: str
    rate: str | None
    base: str | None
    amount: str
    is_included: bool


class CartProblemOut(BaseModel):
    code: str
    detail: str


class CartOut(BaseModel):
    currency: str
    item_count: int
    lines: list[CartLineOut]
    charges: list[ChargeOut]
    tax_lines: list[TaxLineOut]
    subtotal: str
    net_total: str
    tax_total: str
    total: str
    can_be_ordered: bool
    needs_delivery: bool
    """Whether an order of it needs a delivery address."""
    problem: str
    """Why the total could not be computed, in which case the charges are missing; otherwise ""."""
    problems: list[CartProblemOut]
    """Why it cannot be ordered, apart from the ``changes`` of its lines."""


class NeedsOut(BaseModel):
    """What an order must have. ``currencies`` is empty for any, ``minimum`` null without one."""

    email: bool
    phone: bool
    whole_units: bool
    currencies: list[str]
    minimum: str | None


class PaymentProviderOut(BaseModel):
    """A way to pay the cart. ``problem`` says why it is not possible, ``problem_need`` which need it is; both are ""
    if it is possible. The contact is compared with ``needs`` when the order is placed.
    """

    alias: str
    label: str
    is_possible: bool
    problem: str
    problem_need: str
    needs: NeedsOut


class MergeChangeOut(BaseModel):
    line: str
    product: str
    name: str
    options: dict[str, str]
    code: str
    quantity: int
    was: int


class MergeOut(BaseModel):
    cart: CartOut
    changes: list[MergeChangeOut]


class OrderLineOut(TaxedOut):
    line: str
    """Its number in the order, such as ``#2``."""
    product: str
    sku: str
    name: str
    options: dict[str, str]
    quantity: int
    unit_price: str
    line_total: str
    shipped_quantity: int
    cancelled_quantity: int
    """The units that will not be sent. If the whole order is cancelled, its other units do not count."""


class RefundOut(BaseModel):
    amount: str
    currency: str
    status: str
    """queued, pending, succeeded or failed; a failed refund is still owed."""
    created_at: Time


class OrderOut(BaseModel):
    number: str
    status: str
    state: str
    """A state of the site's own, which stands for the status; "" for none."""
    state_label: str
    payment_status: str
    placed_at: Time
    expires_at: Time | None
    currency: str
    subtotal: str
    net_total: str
    tax_total: str
    total: str
    credited_amount: str
    """The part of the total that the customer no longer owes."""
    paid_amount: str
    refunded_amount: str
    balance: str
    """total - credited - paid + refunded: what the customer owes; negative if the shop owes it."""
    amount_due: str
    """The balance, or 0 if that is negative."""
    refunds_under_way: str
    """Refunds that were requested and that the provider has not confirmed yet."""
    refund_due: str
    """The amount that the shop owes the customer, without the refunds under way."""
    contact: dict[str, str]
    shipping_address: dict[str, Any]
    billing_address: dict[str, Any]
    delivery: str
    payment_provider: str
    note: str
    lines: list[OrderLineOut]
    charges: list[ChargeOut]
    tax_lines: list[TaxLineOut]
    refunds: tuple[RefundOut, ...]
    can_be_cancelled: bool
    cancel_reason: str


class PlacedOrderOut(OrderOut):
    guest_token: str = ""
    """Opens a guest's order: ``?token=`` on GET, ``X-Order-Token`` on POST. "" for customers."""


class OrderSummaryOut(BaseModel):
    number: str
    status: str
    state: str
    payment_status: str
    payment_provider: str
    placed_at: Time
    currency: str
    total: str
    balance: str
    amount_due: str
    item_count: int


class OrderPage(BaseModel):
    items: list[OrderSummaryOut]
    next: str | None
    """Send it as ``after`` to get the next page; null on the last one."""


class EventOut(BaseModel):
    at: Time
    kind: str
    old_status: str
    new_status: str
    message: str


class ShipmentLineOut(BaseModel):
    line: str
    product: str
    name: str
    options: dict[str, str]
    quantity: int


class ShipmentOut(BaseModel):
    number: str
    carrier: str
    tracking_number: str
    tracking_url: str
    shipped_at: Time
    lines: list[ShipmentLineOut]


class TrackingOut(BaseModel):
    number: str
    status: str
    state: str
    state_label: str
    payment_status: str
    events: list[EventOut]
    shipments: list[ShipmentOut]
    deliveries: list[dict[str, Any]]


class PaymentOut(BaseModel):
    id: str
    provider: str
    status: str
    amount: str
    currency: str
    redirect_url: str
    instructions: str
    error: str
    created_at: Time
    expires_at: Time | None


class StaffEventOut(EventOut):
    is_public: bool
    actor: str
    is_waiting: bool
    attempts: int
    last_error: str


class HeldDisputeOut(BaseModel):
    """A dispute of a payment that is held for review, for ``resolve-dispute/``."""

    reference: str
    """The provider's id of the dispute; empty if it has none."""
    detail: str


class StaffPaymentOut(PaymentOut):
    captured_amount: str
    refunded_amount: str
    provider_reference: str
    needs_decision: bool
    """Whether staff have to enter the amount received; ``error`` says why."""
    held_disputes: list[HeldDisputeOut]


class StaffRefundOut(RefundOut):
    id: str
    kind: str
    """refund, or dispute: money that the provider took back."""
    provider: str
    reason: str
    error: str
    needs_decision: bool
    """Whether staff have to enter its result: ``error`` says why."""


class CreditOut(BaseModel):
    """An amount that the customer no longer owes. Negative where it is owed again."""

    amount: str
    currency: str
    kind: str
    lines: dict[str, int]
    tax_lines: list[TaxLineOut]
    reason: str
    actor: str
    created_at: Time


class StaffOrderOut(OrderOut):
    customer: str
    """The public id of the customer."""
    version: str
    """Send it as ``expected_version`` with a change, which is then refused if the order has changed meanwhile."""
    allowed_statuses: list[str]
    allowed_states: list[str]
    awaits_online_payment: bool
    """Whether the customer still has to pay online; then ``confirm/`` needs ``accept_unpaid``."""
    can_be_reinstated: bool
    """Whether it is cancelled and paid, so that it can be confirmed again."""
    events: list[StaffEventOut]
    payments: list[StaffPaymentOut]
    refunds: tuple[StaffRefundOut, ...]
    credits: list[CreditOut]
    shipments: list[ShipmentOut]
