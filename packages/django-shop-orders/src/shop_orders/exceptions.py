"""Errors of this app, each with a stable ``code`` and a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import shop_core.exceptions
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from shop_core.exceptions import ShopError


class ShopOrdersError(ShopError):
    """Base of every error of this app."""

    problems = "shop_orders.api.problems.PROBLEMS"

    cart_view: Any = None
    """The ``CartView`` of an order that was refused: the cart as it would be ordered. Set by ``place_order``."""

    sentence: Any = gettext_lazy("The shop could not do this.")
    """The message of an error that is raised without one."""

    @classmethod
    def default_message(cls) -> str:
        return str(cls.sentence)


class NotFound(ShopOrdersError):
    """The object does not exist, or belongs to somebody else. The error does not say which of the two."""

    code = "not_found"
    sentence = gettext_lazy("There is nothing here, or it is not yours.")


class Busy(ShopOrdersError, shop_core.exceptions.Busy):
    """The database refused a transaction twice: a lock was not free in time, or a deadlock."""

    sentence = gettext_lazy("The shop is busy. Try again in a moment.")


class TooManyRequests(ShopOrdersError, shop_core.exceptions.TooManyRequests):
    """The user or the visitor has used up a limit of THROTTLES."""

    sentence = gettext_lazy("You have done this too often. Wait a moment, then try again.")


class InvalidInput(ShopOrdersError):
    """The customer can correct the value. Base of the errors with the status 422."""

    code = "invalid"


class InvalidPhone(InvalidInput):
    code = "invalid_phone"
    sentence = gettext_lazy(
        "This phone number is not valid. Write it with its country code, such as +254 712 345 678."
    )


class InvalidAddress(InvalidInput):
    code = "invalid_address"


class UnknownProduct(InvalidInput):
    code = "unknown_product"

    def __init__(self, ref: str) -> None:
        super().__init__(_("There is no product “%(ref)s” on sale.") % {"ref": ref}, extra={"product": ref})


class ProductUnreadable(ShopOrdersError):
    """The product source failed to read a product."""

    code = "product_unreadable"

    def __init__(self, ref: str, *, name: str = "") -> None:
        message = _("“%(product)s” cannot be ordered at the moment. Remove it, or try again later.")
        super().__init__(message % {"product": name or ref}, extra={"product": ref})


class UnknownLine(InvalidInput):
    code = "unknown_line"

    def __init__(self, line: str) -> None:
        super().__init__(_("There is no line “%(line)s”.") % {"line": line}, extra={"line": line})


class AmbiguousLine(ShopOrdersError):
    """Several lines have the product. ``lines`` has the ``line``, ``quantity`` and ``options`` of each."""

    code = "ambiguous_line"

    def __init__(self, ref: str, lines: Sequence[Mapping[str, Any]]) -> None:
        message = _("Several lines have the product “%(ref)s”. Choose one of them.")
        super().__init__(message % {"ref": ref}, extra={"product": ref, "lines": list(lines)})


class InvalidOptions(InvalidInput):
    """The product does not take these options, or they are not possible. ``takes`` are the names of those it takes."""

    code = "invalid_options"

    def __init__(self, message: str, *, ref: str, takes: Sequence[str] | None = None) -> None:
        super().__init__(message, extra={"product": ref} | ({} if takes is None else {"takes": list(takes)}))


class InvalidQuantity(InvalidInput):
    code = "invalid_quantity"


class AmountTooLarge(InvalidInput):
    code = "amount_too_large"
    sentence = gettext_lazy("The total is larger than the shop can handle. Split it into several orders.")


class PricingFailed(ShopOrdersError):
    """A pricing hook failed, or its charges do not add up. ``hook`` is its dotted path, ``problem`` has the value."""

    code = "pricing_failed"

    def __init__(self, hook: str, problem: str) -> None:
        self.hook, self.problem = hook, problem
        message = _("The total could not be computed. Please tell the shop: pricing hook %(hook)s: %(problem)s.")
        super().__init__(message % {"hook": hook, "problem": problem}, extra={"hook": hook})


class ValidatorFailed(ShopOrdersError):
    """A validator raised an unexpected error. ``hook`` is its dotted path, ``problem`` names the error."""

    code = "validator_failed"

    def __init__(self, hook: str, problem: str) -> None:
        self.hook, self.problem = hook, problem
        message = _("The order could not be checked. Please tell the shop: validator %(hook)s: %(problem)s.")
        super().__init__(message % {"hook": hook, "problem": problem}, extra={"hook": hook})


class InvalidAmount(InvalidInput):
    """An amount is not a number, too large, or has more decimals than its currency."""

    code = "invalid_amount"


class TooManyLines(InvalidInput):
    code = "too_many_lines"

    def __init__(self, most: int) -> None:
        message = _("At most %(most)d different products can be in a cart. Order some of them first.")
        super().__init__(message % {"most": most}, extra={"max_lines": most})


class UnknownPaymentProvider(InvalidInput):
    code = "unknown_payment_provider"

    def __init__(self, alias: str, what_to_do: str = "") -> None:
        text = _("Unknown payment provider: %(alias)s") % {"alias": alias}
        super().__init__(". ".join(filter(None, (text, what_to_do))))


class UnknownState(InvalidInput):
    code = "unknown_state"

    def __init__(self, name: str) -> None:
        super().__init__(_("Unknown state: %(name)s. Use one of STATES.") % {"name": name})


class CartNotFound(NotFound):
    code = "cart_not_found"
    sentence = gettext_lazy("This cart does not exist any more. Leave the cart token out to start a new one.")


class RemindersOff(ShopOrdersError):
    code = "reminders_off"
    sentence = gettext_lazy("This shop sends no reminders of carts.")


class CartClosed(ShopOrdersError):
    code = "cart_closed"
    sentence = gettext_lazy("This cart has been ordered already. Start a new one.")


class CartEmpty(ShopOrdersError):
    code = "cart_empty"
    sentence = gettext_lazy("The cart is empty. Add a product before placing an order.")


class GuestCheckoutOff(ShopOrdersError):
    code = "log_in_required"
    sentence = gettext_lazy("Log in to place an order.")


class _Short(ShopOrdersError):
    """``shortages`` is ``{product_ref: available units}``."""

    def __init__(self, shortages: Mapping[str, int]) -> None:
        self.shortages = dict(shortages)
        super().__init__(
            str(self.sentence) % {"refs": ", ".join(self.shortages)},
            extra={"shortages": [{"product": ref, "available": left} for ref, left in self.shortages.items()]},
        )


class InsufficientStock(_Short):
    code = "insufficient_stock"
    sentence = gettext_lazy("Not enough stock of: %(refs)s. Lower the quantity.")


class ProductsGone(ShopOrdersError):
    code = "products_gone"

    def __init__(self, refs: list[str]) -> None:
        text = _("No longer on sale: %(refs)s. Remove it from the cart.") % {"refs": ", ".join(refs)}
        super().__init__(text, extra={"products": refs})


class TotalChanged(ShopOrdersError):
    """The total differs from the one that the customer saw. ``total`` is the new one; the API adds the new cart."""

    code = "total_changed"

    def __init__(self, *, expected: Decimal, total: Decimal, currency: str) -> None:
        self.total = total
        message = _("The total is now %(total)s %(currency)s. Look at the cart again before placing the order.")
        super().__init__(
            message % {"total": total, "currency": currency},
            extra={"expected_total": str(expected), "total": str(total), "currency": currency},
        )


class CheckoutRefused(ShopOrdersError):
    """A validator refused the order, or it cannot be paid with the chosen provider."""

    code = "checkout_refused"


class PaymentNotPossible(CheckoutRefused):
    """An order lacks what its provider needs. ``extra`` names it (``needs``), and what to change (``fields``)."""

    code = "payment_not_possible"

    def __init__(self, message: str, *, provider: str, needs: str, field: str) -> None:
        super().__init__(message, extra={"payment_provider": provider, "needs": needs, "fields": [field]})


class TooManyUnpaidOrders(CheckoutRefused):
    """The buyer or the visitor would have too many unpaid orders, or too many units in them."""

    code = "too_many_unpaid_orders"

    def __init__(self, *, max_orders: int, max_units: int, are_units: bool = False) -> None:
        message = _("Too many orders are waiting for payment or for the shop. Pay or cancel one of them first.")
        if are_units:
            message = _("At most %(units)s units can be ordered before they are paid. Order fewer, or pay first.")
        extra = {"max_unpaid_orders": max_orders, "max_unpaid_units": max_units}
        super().__init__(message % {"units": max_units}, extra=extra)


class OrderNumberRefused(ShopOrdersError):
    """The ORDER_NUMBER hook returned numbers that cannot be used. The log has the number and the reason."""

    code = "order_number_refused"
    sentence = gettext_lazy(
        "The shop cannot accept orders now, because of an error in its settings. Please contact the shop."
    )


class InvalidTransition(ShopOrdersError):
    code = "invalid_transition"

    def __init__(self, message: str = "", *, old: str = "", new: str = "") -> None:
        text = message or _("An order that is %(old)s cannot become %(new)s.") % {"old": old, "new": new}
        super().__init__(text, extra={"order_status": old} if old else None)


class OrderChanged(ShopOrdersError):
    """An order is not as the caller has seen it."""

    code = "order_changed"
    sentence = gettext_lazy("The order has changed since you read it. Read it again, then decide.")


class GoodsGone(_Short):
    code = "goods_gone"
    sentence = gettext_lazy("Not enough stock of: %(refs)s. Receive stock and try again, or refund the order.")


class OrderUnpaid(ShopOrdersError):
    """The order still waits for an online payment. Staff can confirm it anyway."""

    code = "order_unpaid"

    def __init__(self, *, provider: str, amount: str, currency: str) -> None:
        message = _("%(amount)s %(currency)s are still to be paid by %(provider)s. Confirm the order on its page.")
        super().__init__(
            message % {"amount": amount, "currency": currency, "provider": provider},
            extra={"payment_provider": provider, "amount_due": amount, "currency": currency},
        )


class NothingToShip(ShopOrdersError):
    code = "nothing_to_ship"
    sentence = gettext_lazy("There are not that many units left to ship.")


class IdempotencyMismatch(InvalidInput):
    code = "idempotency_key_reused"
    sentence = gettext_lazy("This Idempotency-Key was used with another request. Use a new one.")


class FormExpired(InvalidInput):
    """A form was sent without a token, or from a page that is too old."""

    code = "form_expired"
    sentence = gettext_lazy("This page is too old. Check the form and send it again.")


class FormSentBefore(ShopOrdersError):
    """A form was sent a second time, with other values."""

    code = "form_sent_before"
    sentence = gettext_lazy(
        "This form was sent before, with other values. Look at what was done before you fill it in again."
    )


class FormOutdated(ShopOrdersError):
    """Somebody has changed the order since the page of the form was opened."""

    code = "form_outdated"
    sentence = gettext_lazy(
        "Money or goods of this order have changed since you opened this form. Look at the order, then open it again."
    )


class RequestInProgress(ShopOrdersError):
    code = "request_in_progress"
    sentence = gettext_lazy("The same request is still being processed. Try again in a moment.")


class NotPayable(ShopOrdersError):
    code = "not_payable"
    sentence = gettext_lazy("This order is not waiting for a payment.")


class CannotChangeProvider(ShopOrdersError):
    """Raised for a provider that confirms an order without a payment, which can only be chosen at checkout."""

    code = "cannot_change_provider"
    sentence = gettext_lazy("This payment method can only be chosen when the order is placed. Choose another one.")


class RefundTooLarge(ShopOrdersError):
    code = "refund_too_large"

    def __init__(self, *, refundable: Decimal, currency: str) -> None:
        message = _("At most %(amount)s %(currency)s can be refunded.")
        super().__init__(message % {"amount": refundable, "currency": currency}, extra={"refundable": str(refundable)})


class RefundByHand(ShopOrdersError):
    code = "refund_by_hand"
    sentence = gettext_lazy(
        "%(provider)s is not in the settings any more. Send the money back on the page of the provider, or in another "
        "way, then record it as a refund made at the provider. Only %(refundable)s %(currency)s can be refunded here."
    )

    def __init__(self, *, provider: str, refundable: str, currency: str) -> None:
        values = {"provider": provider, "refundable": refundable, "currency": currency}
        super().__init__(str(self.sentence) % values, extra={"payment_provider": provider, "refundable": refundable})


class PaymentDeclined(ShopOrdersError):
    """Raised by a provider that refuses the payment; another attempt or another provider may succeed."""

    code = "payment_declined"
    sentence = gettext_lazy("The payment was declined. Try again or choose another payment method.")


class ProviderUnavailable(ShopOrdersError):
    """Raised by a provider that cannot be reached, or whose response cannot be read. The result is not known."""

    code = "payment_provider_unavailable"
    sentence = gettext_lazy("The payment provider does not respond. Try again in a moment.")


class ProviderNotReached(ProviderUnavailable):
    """Raised by a provider with ``start_once_for``: the request was not sent, so it may be repeated."""


class InvalidWebhook(ShopOrdersError):
    """Raised by a provider for a call that it did not sign, that is too old, or that cannot be read."""

    code = "invalid_webhook"
    sentence = gettext_lazy("The call could not be verified.")
