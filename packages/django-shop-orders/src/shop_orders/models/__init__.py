from shop_orders.models.carts import Cart, CartItem
from shop_orders.models.credits import Credit
from shop_orders.models.customers import Address, Customer
from shop_orders.models.erasures import Erasure
from shop_orders.models.events import OrderEvent
from shop_orders.models.incoming import IncomingPayment
from shop_orders.models.orders import Charge, Order, OrderLine, OrderStatus, PaymentStatus
from shop_orders.models.payments import Payment, ProviderEvent, Refund
from shop_orders.models.reminders import CartReminder, RemindedAddress
from shop_orders.models.shipments import Shipment, ShipmentLine
from shop_orders.models.work import IdempotencyKey, JobRun

__all__ = [
    "Address",
    "Cart",
    "CartItem",
    "CartReminder",
    "Charge",
    "Credit",
    "Customer",
    "Erasure",
    "IdempotencyKey",
    "IncomingPayment",
    "JobRun",
    "Order",
    "OrderEvent",
    "OrderLine",
    "OrderStatus",
    "Payment",
    "PaymentStatus",
    "ProviderEvent",
    "Refund",
    "RemindedAddress",
    "Shipment",
    "ShipmentLine",
]
