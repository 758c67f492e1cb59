"""Recipients: their preferences, suppressed addresses, unsubscribing."""

from shop_notify.recipients.preferences import (
    GroupChoice,
    NotifierChoice,
    mutable_groups,
    preference_choices,
    read_preferences,
    recipient_of_user,
    write_preferences,
)
from shop_notify.recipients.suppressions import lift_suppression, suppress, suppressed
from shop_notify.recipients.unsubscribing import unsubscribe, unsubscribe_link

__all__ = [
    "GroupChoice",
    "NotifierChoice",
    "lift_suppression",
    "mutable_groups",
    "preference_choices",
    "read_preferences",
    "recipient_of_user",
    "suppress",
    "suppressed",
    "unsubscribe",
    "unsubscribe_link",
    "write_preferences",
]
