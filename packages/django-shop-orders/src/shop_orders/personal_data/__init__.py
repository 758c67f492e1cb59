"""Personal data: what is stored about a person, as plain data, and its erasure.

A *person* is a mapping of plain values that every package understands: ``user`` (the primary key as text), ``keys``
(of customers), ``emails`` (verified, or chosen by staff), ``phones`` and ``references`` (order numbers). A missing
key counts as empty. ``export_personal_data`` and ``erase_personal_data`` are those of this package;
``export_everywhere`` and ``erase_everywhere`` call those of every module in the setting PERSONAL_DATA.
"""

from shop_orders.personal_data.erasing import erase_personal_data, refuse_if_unfinished
from shop_orders.personal_data.everywhere import erase_everywhere, export_everywhere, finish_erasures
from shop_orders.personal_data.exporting import export_personal_data
from shop_orders.personal_data.people import person_of_customer, person_of_user, person_with_email

__all__ = [
    "erase_everywhere",
    "erase_personal_data",
    "export_everywhere",
    "export_personal_data",
    "finish_erasures",
    "person_of_customer",
    "person_of_user",
    "person_with_email",
    "refuse_if_unfinished",
]
