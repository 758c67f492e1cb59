"""Texts of the packages that visitors and staff see.

They are listed here so that makemessages adds them to the shop's own translations. Texts that ``contrib.pages`` of
orders translates are not repeated.
"""

from django.utils.translation import gettext_noop

LISTS = [
    gettext_noop("More than %(count)s. The list ends there: search, or filter, to see others."),
    gettext_noop("%(count)s or more were found. The newest of them are listed."),
]
PAYMENTS = [
    gettext_noop("M-Pesa"),
]
STATES = [
    gettext_noop("state"),
    gettext_noop("State"),
    gettext_noop("Set the state"),
    gettext_noop("Set the state: %(state)s"),
    gettext_noop("None of these"),
    gettext_noop("Unknown state: %(name)s. Use one of STATES."),
]
INCOMING_PAYMENTS = [
    gettext_noop("incoming payment"),
    gettext_noop("incoming payments"),
    gettext_noop("Notify the customer"),
    gettext_noop("For example: sent back in the provider's portal, or not for an order."),
    gettext_noop("reason"),
    gettext_noop("order"),
    gettext_noop("The order that the account names."),
    gettext_noop("account"),
    gettext_noop("The order's number as the customer typed it."),
    gettext_noop("Often masked by the provider."),
    gettext_noop("The provider's number of the transaction."),
    gettext_noop("paid at"),
    gettext_noop("received at"),
    gettext_noop("comment"),
    gettext_noop("receipt"),
    gettext_noop("held for review"),
    gettext_noop("on its way"),
    gettext_noop("recorded"),
    gettext_noop("recorded before"),
    gettext_noop("dismissed"),
    gettext_noop("The provider has not confirmed this transaction."),
    gettext_noop("The provider does not know this transaction, or it was not completed."),
    gettext_noop("No order has this number."),
    gettext_noop("Several orders could have this number."),
    gettext_noop("The order is cancelled, or nothing is due."),
    gettext_noop("The amount differs from the amount due."),
    gettext_noop("A payment of the order is still open, and this money may belong to it."),
    gettext_noop("This money may belong to a payment that is already recorded."),
    gettext_noop("Record it for an order"),
    gettext_noop("Record it"),
    gettext_noop("Dismiss it"),
    gettext_noop("Amount due"),
    gettext_noop("Matches"),
    gettext_noop("number"),
    gettext_noop("amount"),
    gettext_noop("phone"),
    gettext_noop("No open order matches this money."),
    gettext_noop("I have seen this money on the provider's statement"),
    gettext_noop("The provider has not confirmed it, so the report may be untrue."),
    gettext_noop("The money was dismissed."),
    gettext_noop("The money was recorded for the order %(number)s."),
]
FILTERS = [
    gettext_noop("refund due"),
    gettext_noop("needs a decision"),
]
STEPS = [
    gettext_noop("Confirm"),
    gettext_noop("Start processing"),
    gettext_noop("Ship"),
    gettext_noop("Mark as delivered"),
    gettext_noop("Record the payment"),
    gettext_noop("Refund"),
    gettext_noop("Without credit"),
    gettext_noop("The customer must pay %(amount)s %(currency)s again"),
    gettext_noop(
        "The goods stay sold, so %(amount)s %(currency)s will be due again. "
        "If the customer is to keep the money, clear “Without credit”."
    ),
    gettext_noop("Enter the result of a refund"),
    gettext_noop("Result"),
    gettext_noop("The customer got the money"),
    gettext_noop("The customer did not get the money"),
    gettext_noop("Look at the provider's page first. Money that the customer did not get can be refunded again."),
    gettext_noop("%(provider)s cannot be asked about this refund. Look at its page, and enter the result."),
    gettext_noop(
        "%(provider)s is not in the settings any more. Send the money back on the page of the provider, or in another "
        "way, then record it as a refund made at the provider. Only %(refundable)s %(currency)s can be refunded here."
    ),
    gettext_noop(
        "Not in the settings any more: %(providers)s. Send the money back on the page of the provider, "
        "or in another way."
    ),
    gettext_noop("Look at the provider's page, send the money back there, and enter the result."),
    gettext_noop("Capture the payment on the provider's page, then enter the amount received."),
    gettext_noop("Payments can be recorded for: %(aliases)s."),
    gettext_noop("The result of this refund is known, or its provider is still being asked about it."),
    gettext_noop("Refund of %(amount)s %(currency)s made."),
    gettext_noop("Refund of %(amount)s %(currency)s not made."),
    gettext_noop("Enter the state of a dispute"),
    gettext_noop("Dispute"),
    gettext_noop("Amount taken back"),
    gettext_noop("Enter 0 if the provider took nothing back, or paid it out again."),
    gettext_noop("The dispute was lost"),
    gettext_noop("The customer owes nothing for this amount."),
    gettext_noop("Reason"),
    gettext_noop("What you saw on the provider's page."),
    gettext_noop("Dispute resolved: the provider took back %(amount)s %(currency)s. %(reason)s"),
    gettext_noop("%(amount)s %(currency)s of it was not credited, because the customer did not owe that much."),
    gettext_noop("This dispute is not held for review, or was resolved already."),
    gettext_noop("Several disputes are held. Enter the reference of one: %s"),
    gettext_noop("Enter an amount of at least 0, and what the provider's page shows as the reason."),
    gettext_noop("Reinstate the order"),
    gettext_noop("Return to stock"),
    gettext_noop("Cancel goods that are not sent"),
    gettext_noop("Units that are refunded are not sent any more."),
    gettext_noop("Of these, not sent any more: %(name)s"),
    gettext_noop("Enter at most the units that are refunded."),
    gettext_noop("The units are released, and their price is credited. What was paid for them has to be refunded."),
    gettext_noop("Nothing of this order is left to send."),
    gettext_noop("Enter units of this order that were not shipped yet."),
    gettext_noop("Cancel the order"),
    gettext_noop("Add a note"),
    gettext_noop("payment method"),
    gettext_noop("%(provider)s, not paid yet"),
    gettext_noop("Confirm it although it is not paid"),
    gettext_noop("%(amount)s %(currency)s are still to be paid by %(provider)s. A confirmed order does not expire."),
    gettext_noop("%(amount)s %(currency)s are still to be paid by %(provider)s. Confirm the order on its page."),
    gettext_noop("To collect: %(to_collect)s %(currency)s"),
]
ERRORS = [
    gettext_noop(
        "%(provider)s does not respond. Try again in a few minutes, or log in with an e-mail address and a password."
    ),
    gettext_noop(
        "%(provider)s sent a response that the shop cannot use. Try again, or log in with an e-mail address and a "
        "password. If it stays like this, tell the shop."
    ),
    gettext_noop(
        "%(provider)s did not say which of its accounts is yours, so the shop cannot log you in. Log in with an "
        "e-mail address and a password."
    ),
    gettext_noop(
        "This log-in was started too long ago or in another browser, or %(provider)s refused it. Start again."
    ),
    gettext_noop("This shop sends no reminders of carts."),
    gettext_noop("Enter an e-mail address."),
    gettext_noop("You have done this too often. Wait a moment, then try again."),
    gettext_noop("You have sent too many requests. Try again in %(retry_after)s seconds."),
    gettext_noop("This was already done."),
    gettext_noop(
        "Money or goods of this order have changed since you opened this form. Look at the order, then open it again."
    ),
    gettext_noop("Done: %(step)s."),
    gettext_noop("This was already done: %(step)s."),
    gettext_noop("Amounts in %(currency)s have at most %(decimals)d decimals."),
    gettext_noop("This amount is larger than the shop can handle."),
    gettext_noop("Only one address can be the default."),
    gettext_noop("Payment %(receipt)s"),
    gettext_noop("It is held for review."),
    gettext_noop("An order of this customer is not finished. Deliver or cancel it first."),
    gettext_noop("There was an error. It is tried again in an hour."),
    gettext_noop("It has not started yet."),
    gettext_noop("Erase personal data"),
    gettext_noop("Export personal data"),
    gettext_noop("%(what)s: %(reason)s It will be erased later. Everything else is erased."),
    gettext_noop("The personal data of customer %(customer)s is erased."),
    gettext_noop("An address book holds at most %(most)s addresses. Delete one first."),
]
