"""The admin pages, for shop staff."""

from shop_orders.admin import customers, incoming, payments, records
from shop_orders.admin.exports import orders_csv
from shop_orders.admin.forms import StepForm
from shop_orders.admin.orders import OrderAdmin
from shop_orders.admin.steps import STEPS, Step, possible_steps, take_step

__all__ = [
    "STEPS",
    "OrderAdmin",
    "Step",
    "StepForm",
    "customers",
    "incoming",
    "orders_csv",
    "payments",
    "possible_steps",
    "records",
    "take_step",
]
