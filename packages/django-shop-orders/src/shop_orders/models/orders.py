from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop_orders.managers import OVERPAID, OrderManager
from shop_orders.models import options as line_options
from shop_orders.models.amounts import adds_up, amount_field, is_taxed, known_amount_field, rate_field
from shop_orders.models.carts import Cart
from shop_orders.models.customers import Customer
from shop_orders.models.states import state_label

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from shop_orders.managers import RelatedOrderEvents
    from shop_orders.models.credits import Credit
    from shop_orders.models.incoming import IncomingPayment
    from shop_orders.models.payments import Payment
    from shop_orders.models.shipments import Shipment, ShipmentLine


class OrderStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    CONFIRMED = "confirmed", _("confirmed")
    PROCESSING = "processing", _("processing")
    SHIPPED = "shipped", _("shipped")
    DELIVERED = "delivered", _("delivered")
    CANCELLED = "cancelled", _("cancelled")


class PaymentStatus(models.TextChoices):
    UNPAID = "unpaid", _("unpaid")
    AUTHORISED = "authorised", _("authorised")
    PAID = "paid", _("paid")
    PART_REFUNDED = "part_refunded", _("partly refunded")
    REFUNDED = "refunded", _("refunded")
    FAILED = "failed", _("failed")


UNPROCESSED = Q(status__in=("pending", "confirmed"))
"""The condition of the indexes that count a buyer's unpaid orders."""
UNUSUAL = Q(payment_status__in=("authorised", "part_refunded", "refunded", "failed"))


class Order(models.Model):
    """A sale, with all values as they were when it was placed. Only the actions of ``lifecycle`` change its status."""

    number = models.CharField(_("number"), max_length=40, unique=True)
    customer = models.ForeignKey(Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="orders")
    cart = models.OneToOneField(
        Cart, verbose_name=_("cart"), on_delete=models.SET_NULL, null=True, blank=True, related_name="order"
    )
    status = models.CharField(_("status"), max_length=12, choices=OrderStatus, default=OrderStatus.PENDING)
    state = models.CharField(_("state"), max_length=30, blank=True, help_text=_("One of the site's own."))
    payment_status = models.CharField(
        _("payment status"), max_length=15, choices=PaymentStatus, default=PaymentStatus.UNPAID
    )
    contact_name = models.CharField(_("name"), max_length=300, blank=True)
    email = models.EmailField(_("e-mail address"), max_length=254, blank=True)
    email_key = models.CharField(_("e-mail address, to compare"), max_length=320, blank=True, editable=False)
    phone = models.CharField(_("phone"), max_length=16, blank=True)
    language = models.CharField(_("language"), max_length=35, blank=True)
    shipping_address = models.JSONField(_("shipping address"), default=dict, blank=True)
    billing_address = models.JSONField(_("billing address"), default=dict, blank=True)
    delivery = models.CharField(_("delivery"), max_length=100, blank=True)
    payment_provider = models.CharField(_("payment provider"), max_length=50)
    customer_note = models.TextField(_("customer's note"), blank=True)
    visitor = models.CharField(
        _("visitor"), max_length=32, blank=True, editable=False, help_text=_("A keyed hash of the network address.")
    )
    currency = models.CharField(_("currency"), max_length=3)
    subtotal = amount_field(_("subtotal"))
    charges_total = amount_field(_("charges"), help_text=_("Charges that are not already included in the prices."))
    net_total = amount_field(_("net total"))
    tax_total = amount_field(_("tax"), help_text=_("Added to the prices or included in them."))
    total = amount_field(_("total"))
    credited_amount = amount_field(
        _("credited"), default=Decimal(0), help_text=_("The part of the total that the customer no longer owes.")
    )
    paid_amount = amount_field(_("paid"), default=Decimal(0))
    refunded_amount = amount_field(_("refunded"), default=Decimal(0))
    cancel_reason = models.CharField(_("reason for the cancellation"), max_length=500, blank=True)
    reservations = models.PositiveSmallIntegerField(
        _("reservations"), default=1, editable=False, help_text=_("How often its stock was reserved.")
    )
    stock_released_at = models.DateTimeField(_("stock released at"), null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(_("to be paid by"), null=True, blank=True)
    next_check_at = models.DateTimeField(_("next check at"), null=True, blank=True, editable=False)
    placed_at = models.DateTimeField(_("placed at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    customer_id: int
    lines: RelatedManager[OrderLine]
    shipments: RelatedManager[Shipment]
    get_status_display: Callable[[], str]
    cart_id: int | None
    charges: RelatedManager[Charge]
    payments: RelatedManager[Payment]
    credits: RelatedManager[Credit]
    events: RelatedOrderEvents
    incoming_payments: RelatedManager[IncomingPayment]
    get_payment_status_display: Callable[[], str]

    objects: ClassVar[OrderManager] = OrderManager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ("-placed_at", "-id")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=("pending", "confirmed", "processing", "shipped", "delivered", "cancelled")),
                name="shop_orders_order_status",
            ),
            models.CheckConstraint(
                condition=Q(
                    payment_status__in=("unpaid", "authorised", "paid", "part_refunded", "refunded", "failed")
                ),
                name="shop_orders_order_payment_status",
            ),
            models.CheckConstraint(
                condition=adds_up(F("subtotal") + F("charges_total"), "total"), name="shop_orders_order_total"
            ),
            models.CheckConstraint(
                condition=adds_up(F("net_total") + F("tax_total"), "total"), name="shop_orders_order_net_and_tax"
            ),
            models.CheckConstraint(condition=Q(total__gte=0, subtotal__gte=0), name="shop_orders_order_not_negative"),
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0, refunded_amount__lte=F("paid_amount")),
                name="shop_orders_order_refunded_within_paid",
            ),
            models.CheckConstraint(
                condition=Q(credited_amount__gte=0, credited_amount__lte=F("total")),
                name="shop_orders_order_credited_within_total",
            ),
        ]
        indexes = [
            models.Index(fields=("customer", "-placed_at", "-id"), name="shop_orders_order_of_customer"),
            models.Index(fields=("-placed_at", "-id"), name="shop_orders_order_newest"),
            models.Index(fields=("status", "-placed_at"), name="shop_orders_order_by_status"),
            models.Index(fields=("payment_status", "-placed_at"), condition=UNUSUAL, name="shop_orders_order_unusual"),
            models.Index(fields=("state", "-placed_at"), condition=Q(state__gt=""), name="shop_orders_order_by_state"),
            models.Index(fields=("expires_at",), condition=Q(status="pending"), name="shop_orders_order_expiring"),
            models.Index(fields=("-placed_at", "-id"), condition=OVERPAID, name="shop_orders_order_overpaid"),
            models.Index(fields=("email_key",), condition=UNPROCESSED, name="shop_orders_order_unpaid_mail"),
            models.Index(fields=("phone",), condition=UNPROCESSED, name="shop_orders_order_unpaid_tel"),
            models.Index(fields=("visitor",), condition=UNPROCESSED, name="shop_orders_order_unpaid_from"),
        ]
        permissions = [
            ("process_order", _("Can confirm, process, ship and deliver orders")),
            ("cancel_order", _("Can cancel orders")),
            ("refund_order", _("Can refund orders and record payments")),
        ]

    def __str__(self) -> str:
        return self.number

    if not TYPE_CHECKING:  # the annotation above is for type checkers, with and without the plugin of django-stubs

        def get_status_display(self) -> str:
            """The label of the state, or of the status if it has none of the site's own."""
            return state_label(self.state) if self.state else str(OrderStatus(self.status).label)

    @property
    def tax_lines(self) -> list[Charge]:
        """The taxes of the order, one for each rate. Their amounts add up to ``tax_total``."""
        return [charge for charge in self.charges.all() if charge.kind == Charge.Kind.TAX]

    @property
    def stock_reference(self) -> str:
        """The reference of the order's reservation: its number, with ``#2`` after it was reinstated once.

        No number has a ``#``, since numbers are part of URLs.
        """
        return self.number if self.reservations == 1 else f"{self.number}#{self.reservations}"

    @property
    def balance(self) -> Decimal:
        """total - credited - paid + refunded: what the customer owes; negative if the shop owes it."""
        return self.total - self.credited_amount - self.paid_amount + self.refunded_amount

    @property
    def amount_due(self) -> Decimal:
        """The amount that is still to be paid."""
        return max(self.balance, Decimal(0))

    @property
    def refunds_under_way(self) -> Decimal:
        """The sum of the refunds that are queued or pending. Takes a query, except for rows of ``with_account()``."""
        known: Decimal | None = self.__dict__.get("account_under_way")
        if known is not None:
            return known
        if self.paid_amount == self.refunded_amount:
            return Decimal(0)  # nothing is left that could be refunded
        refunds = models.Sum("refunds__amount", filter=Q(refunds__status__in=("queued", "pending")))
        return self.payments.aggregate(sum=refunds)["sum"] or Decimal(0)

    @property
    def refund_due(self) -> Decimal:
        """The amount to refund, without the refunds under way: overpaid, or credited after it was paid."""
        return max(-self.balance - self.refunds_under_way, Decimal(0)) if self.balance < 0 else Decimal(0)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is due, even after the refunds under way."""
        return self.balance <= 0 and self.balance + self.refunds_under_way <= 0

    @property
    def refundable_amount(self) -> Decimal:
        """The paid amount, less what was refunded and what is being refunded."""
        kept = self.paid_amount - self.refunded_amount
        return kept - self.refunds_under_way if kept else kept


class OrderLine(models.Model):
    """An ordered product: a reference to the product source, and a copy of what the customer saw."""

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField(_("position"))
    product_ref = models.CharField(_("product"), max_length=200)
    sku = models.CharField(_("SKU"), max_length=200, blank=True)
    name = models.CharField(_("name"), max_length=500)
    options = models.JSONField(_("options"), default=dict, blank=True)
    quantity = models.PositiveIntegerField(_("quantity"))
    unit_price = amount_field(_("unit price"))
    line_total = amount_field(_("line total"))
    tax_class = models.CharField(_("tax class"), max_length=50, blank=True)
    price_includes_tax = models.BooleanField(_("price includes tax"), default=False)
    discount = amount_field(
        _("discount"), default=Decimal(0), help_text=_("Its share of the discounts, not positive.")
    )
    tax_rate = rate_field(_("tax rate"), help_text=_("The sum of the rates that apply to it."))
    net = known_amount_field(_("net"), help_text=_("After discounts and without tax."))
    tax = known_amount_field(_("tax"), help_text=_("Added to the price or included in it."))
    weight = models.DecimalField(_("weight"), max_digits=12, decimal_places=4, null=True, blank=True)
    shipped_quantity = models.PositiveIntegerField(_("shipped"), default=0, db_default=0)
    cancelled_quantity = models.PositiveIntegerField(
        _("not sent"),
        default=0,
        db_default=0,
        help_text=_("The units that will not be sent. If the whole order is cancelled, its other units do not count."),
    )
    restocked_quantity = models.PositiveIntegerField(_("returned to stock"), default=0, db_default=0)

    order_id: int
    shipment_lines: RelatedManager[ShipmentLine]

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        ordering = ("order", "position")
        constraints = [
            models.UniqueConstraint(fields=("order", "position"), name="shop_orders_line_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="shop_orders_line_quantity"),
            models.CheckConstraint(
                condition=adds_up(F("unit_price") * F("quantity"), "line_total"), name="shop_orders_line_total"
            ),
            models.CheckConstraint(condition=Q(unit_price__gte=0), name="shop_orders_line_not_negative"),
            models.CheckConstraint(condition=is_taxed("line_total"), name="shop_orders_line_net_and_tax"),
            models.CheckConstraint(
                condition=Q(discount__lte=0, discount__gte=-F("line_total")), name="shop_orders_line_discount"
            ),
            models.CheckConstraint(
                condition=Q(shipped_quantity__lte=F("quantity") - F("cancelled_quantity")),
                name="shop_orders_line_shipped_within_ordered",
            ),
            models.CheckConstraint(
                condition=Q(restocked_quantity__lte=F("shipped_quantity")),
                name="shop_orders_line_restocked_within_shipped",
            ),
        ]
        indexes = [models.Index(Upper("sku"), name="shop_orders_line_sku")]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"

    @property
    def line(self) -> str:
        """Its public id within the order, such as ``#2``."""
        return f"#{self.position}"

    @property
    def options_text(self) -> str:
        """Its options on one line; "" if it has none."""
        return line_options.as_text(self.options)

    @property
    def full_name(self) -> str:
        """Its name, followed by its options: several lines may have one product."""
        return f"{self.name} ({self.options_text})" if self.options else self.name

    @property
    def open_quantity(self) -> int:
        """The number of units that are left to send: neither shipped nor cancelled."""
        return self.quantity - self.shipped_quantity - self.cancelled_quantity


class Charge(models.Model):
    """Tax, shipping, discount or fee of an order. A discount is negative.

    The rows of the kind tax are the tax lines of the order: one for each rate, with ``tax_rate``, ``base`` and
    ``amount``. Shipping and fees have ``tax_rate``, ``net`` and ``tax`` as a line has.
    """

    class Kind(models.TextChoices):
        TAX = "tax", _("tax")
        SHIPPING = "shipping", _("shipping")
        DISCOUNT = "discount", _("discount")
        FEE = "fee", _("fee")

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="charges")
    position = models.PositiveSmallIntegerField(_("position"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    label = models.CharField(_("label"), max_length=200)
    amount = amount_field(_("amount"))
    is_included = models.BooleanField(
        _("included"), default=False, help_text=_("Already included in the prices, so it is shown but not added.")
    )
    tax_rate = rate_field(
        _("tax rate"), help_text=_("Empty if it is not known, or if parts of it have several rates.")
    )
    base = known_amount_field(_("taxed amount"), help_text=_("Of a tax: the net amount that is taxed."))
    lines = models.JSONField(
        _("lines"), null=True, blank=True, editable=False, help_text=_("Of a tax: its part on each product, if known.")
    )
    discount = amount_field(
        _("discount"), default=Decimal(0), help_text=_("Its share of the discounts, not positive.")
    )
    net = known_amount_field(_("net"), help_text=_("After discounts and without tax."))
    tax = known_amount_field(_("tax"), help_text=_("Added to the price or included in it."))

    order_id: int
    get_kind_display: Callable[[], str]

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        ordering = ("order", "position")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=("tax", "shipping", "discount", "fee")), name="shop_orders_charge_kind"
            ),
            models.CheckConstraint(
                condition=Q(is_included=False) | Q(kind="tax"), name="shop_orders_charge_only_tax_included"
            ),
            models.CheckConstraint(
                condition=Q(kind="discount", amount__lte=0) | ~Q(kind="discount") & Q(amount__gte=0),
                name="shop_orders_charge_sign",
            ),
            models.CheckConstraint(
                condition=Q(kind="tax", discount=0, net=None, tax=None)
                | Q(kind="discount", discount=0, net=None, tax=None, tax_rate=None, base=None)
                | Q(kind__in=("shipping", "fee"), base=None, discount__lte=0) & is_taxed("amount"),
                name="shop_orders_charge_net_and_tax",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def rate(self) -> Decimal | None:
        """The rate of a tax, as a draft's charge has it."""
        return self.tax_rate if self.kind == self.Kind.TAX else None
