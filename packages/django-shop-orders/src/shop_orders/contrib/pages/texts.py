"""Texts of ``shop_orders`` that its customers see on the pages.

They are listed here so that makemessages adds them to the translations of the pages. The other texts of the package
are for staff and developers.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop

STATUSES = [
    gettext_noop("pending"),
    gettext_noop("confirmed"),
    gettext_noop("processing"),
    gettext_noop("shipped"),
    gettext_noop("delivered"),
    gettext_noop("cancelled"),
    gettext_noop("unpaid"),
    gettext_noop("authorised"),
    gettext_noop("paid"),
    gettext_noop("partly refunded"),
    gettext_noop("refunded"),
    gettext_noop("failed"),
    gettext_noop("An order that is %(old)s cannot become %(new)s."),
    gettext_noop("A part of this order was shipped. Cancel the goods that were not, and refund those that come back."),
    gettext_noop("It was not paid in time."),
    gettext_noop("The order was reinstated."),
]
PAYMENTS = [
    gettext_noop("Bank transfer"),
    gettext_noop("Card"),
    gettext_noop("Pay on delivery"),
    gettext_noop("Test payment"),
    gettext_noop("Pay when your order is delivered."),
    gettext_noop("Send %(amount)s %(currency)s to %(account)s with the reference %(reference)s."),
    gettext_noop("Look at your phone and enter your M-Pesa PIN."),
    gettext_noop(
        "Or pay by hand: Lipa na M-Pesa, Pay Bill, business number %(number)s, account number %(account)s, "
        "amount %(amount)s."
    ),
    gettext_noop("Or pay by hand: Lipa na M-Pesa, Buy Goods, till number %(number)s, amount %(amount)s."),
    gettext_noop("%(provider)s does not take %(currency)s."),
    gettext_noop("%(provider)s takes whole amounts of %(currency)s only."),
    gettext_noop("%(provider)s takes amounts from %(minimum)s %(currency)s."),
    gettext_noop("Choose another payment method."),
    gettext_noop("Enter an e-mail address: %(provider)s needs it. Or choose another payment method."),
    gettext_noop("Enter a phone number: %(provider)s needs it. Or choose another payment method."),
    gettext_noop("This order is not waiting for a payment."),
    gettext_noop("The time to pay this order is over. Order again."),
    gettext_noop("This payment method can only be chosen when the order is placed. Choose another one."),
    gettext_noop("The payment was declined. Try again or choose another payment method."),
    gettext_noop("The payment provider does not respond. Try again in a moment."),
    gettext_noop("Order %(number)s"),
]
TEST_PAYMENTS = [
    gettext_noop("No money moves here."),
    gettext_noop("Amount"),
    gettext_noop("Status"),
    gettext_noop("started"),
    gettext_noop("waiting"),
    gettext_noop("captured"),
    gettext_noop("Pay"),
    gettext_noop("Authorise only"),
    gettext_noop("Refuse"),
    gettext_noop("Pay without a webhook"),
]
CHARGES = [gettext_noop("Shipping"), gettext_noop("Tax"), gettext_noop("Tax, included")]
CONTACTS = [
    gettext_noop("This e-mail address is not valid."),
    gettext_noop("The shop cannot send e-mail to this address. Use one with plain letters (a-z) before the @."),
    gettext_noop("A letter before the @ could be mistaken for another one. Write it with plain letters (a-z)."),
    gettext_noop("This e-mail address is too long."),
    gettext_noop("Write the part after the @ in full, such as example.org."),
    gettext_noop("This phone number is not valid. Write it with its country code, such as +254 712 345 678."),
    gettext_noop("Enter an e-mail address or a phone number."),
    gettext_noop("%(field)s: enter at most %(most)d characters."),
    gettext_noop("%(field)s: this text has a character that cannot be stored."),
]
CARTS = [
    gettext_noop("There is no product “%(ref)s” on sale."),
    gettext_noop("There is no line “%(line)s”."),
    gettext_noop("Several lines have the product “%(ref)s”. Choose one of them."),
    gettext_noop("Add at least one."),
    gettext_noop("At most %(quantity)s of one product can be ordered."),
    gettext_noop("At most %(quantity)s of “%(product)s” can be ordered. Lower the quantity."),
    gettext_noop("At most %(most)d different products can be in a cart. Order some of them first."),
    gettext_noop("The total is larger than the shop can handle. Split it into several orders."),
    gettext_noop("“%(product)s” cannot be ordered at the moment. Remove it, or try again later."),
    gettext_noop("“%(product)s” takes no options. Add it without options."),
    gettext_noop("“%(product)s” has no option “%(option)s”. It takes: %(names)s."),
    gettext_noop("Enter at most %(most)d options."),
    gettext_noop("The name of an option is one line of 1 to %(most)d characters, and not “items”."),
    gettext_noop("The options of a product are at most %(most)d bytes long. Write less."),
    gettext_noop("An option has a character that cannot be stored."),
    gettext_noop("An option has an invisible character. Write plain text."),
    gettext_noop("An option is text."),
    gettext_noop("The option “%(name)s” is given twice."),
]
ORDERING = [
    gettext_noop("This cart has been ordered already. Start a new one."),
    gettext_noop("The cart is empty. Add a product before placing an order."),
    gettext_noop("Log in to place an order."),
    gettext_noop("Order for at least %(amount)s %(currency)s."),
    gettext_noop("Too many orders are waiting for payment or for the shop. Pay or cancel one of them first."),
    gettext_noop("At most %(units)s units can be ordered before they are paid. Order fewer, or pay first."),
    gettext_noop("The shop is busy. Try again in a moment."),
    gettext_noop("The shop could not do this."),
    gettext_noop("The shop cannot accept orders now, because of an error in its settings. Please contact the shop."),
    gettext_noop("There is nothing here, or it is not yours."),
    gettext_noop("Check the form and send it again."),
    gettext_noop("This page is too old. Check the form and send it again."),
    gettext_noop("This form was sent before, with other values. Look at what was done before you fill it in again."),
]
