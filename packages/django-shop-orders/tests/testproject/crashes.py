"""Kills a process with SIGKILL at a named point, once for each order. Run as a program on the test database.

It forks for each order, so that each killed process has its own database connection. Prints JSON.
"""

import json
import os
import signal
import sys
from functools import partial


def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)


def killed_in_child(work):
    """Run ``work`` in a child process and return whether that process was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def in_child_process(work):
    """Run ``work`` in a child process and return its result, which must be JSON-safe."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, json.dumps(work()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        content = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(content)


def filled_cart(number):
    from shop_orders import carts
    from shop_orders.models import Customer

    customer = Customer.objects.create(email=f"c{number}@example.org")
    return carts.add_to_cart("crash", 2, customer=customer)[0].pk


def order(cart_id, provider="memory"):
    from shop_orders import checkout
    from shop_orders.models import Cart

    return checkout.place_order(Cart.objects.get(pk=cart_id), provider=provider).pk


def start_payment(number):
    """Place an order and start its payment. Returns the order id and the provider reference."""
    from shop_orders import payments

    order_id = order(filled_cart(number))
    return [order_id, payments.start(order_id).provider_reference]


def apply_capture(number, reference):
    from shop_orders import payments
    from shop_orders.models import Payment
    from shop_orders.payment_providers import PaymentEvent

    amount = Payment.objects.get(provider_reference=reference).amount
    event = PaymentEvent(event_id=f"evt-{number}", kind="captured", reference=reference, amount=amount)
    payments.apply_event("memory", event)


def before_commit(number):
    from shop_orders.product_sources import ModelProductSource

    cart_id = in_child_process(partial(filled_cart, number))
    reserve = ModelProductSource.reserve

    def reserve_and_die(self, *args, **kwargs):
        reserve(self, *args, **kwargs)
        die()

    def victim():
        ModelProductSource.reserve = reserve_and_die
        order(cart_id)

    return killed_in_child(victim), cart_id


def before_announcement(number):
    from shop_orders.signals import order_placed

    cart_id = in_child_process(partial(filled_cart, number))

    def victim():
        order_placed.connect(die)
        order(cart_id)

    return killed_in_child(victim), cart_id


def in_expiry(number):
    from shop_orders import payments
    from shop_orders.models import Order
    from shop_orders.product_sources import ModelProductSource

    order_id = in_child_process(partial(order, in_child_process(partial(filled_cart, number))))
    release = ModelProductSource.release

    def release_and_die(self, *args, **kwargs):
        release(self, *args, **kwargs)
        die()

    def victim():
        from django.utils import timezone

        Order.objects.filter(pk=order_id).update(expires_at=timezone.now())
        ModelProductSource.release = release_and_die
        payments.expire_due()

    return killed_in_child(victim), order_id


def in_webhook(number):
    from django.db.models.signals import post_save
    from shop_orders.models import OrderEvent

    order_id, reference = in_child_process(partial(start_payment, number))

    def die_after_the_change(instance, **kwargs):
        if instance.kind == "payment_status_changed":
            die()

    def victim():
        post_save.connect(die_after_the_change, sender=OrderEvent)
        apply_capture(number, reference)

    return killed_in_child(victim), [order_id, reference]


if __name__ == "__main__":
    import django

    django.setup()
    point, count = globals()[sys.argv[1]], int(sys.argv[2])
    results = [point(number) for number in range(count)]
    print(json.dumps({"killed": sum(was for was, _thing in results), "things": [thing for _was, thing in results]}))
