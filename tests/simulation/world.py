"""The shop that is played with: its settings, catalogue and customers, and the processes that work in it."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import RequestFactory, override_settings
from django.utils import translation
from shop_catalog.models import Product, StockMovement
from shop_notify.notifiers.memory import MemoryNotifier
from shop_orders import carts, checkout, events, exceptions, payments, signals
from shop_orders.exceptions import ShopOrdersError
from shop_orders.models import Cart, Customer, Order, OrderEvent
from shop_orders.webhooks import webhook

from simulation import death, quick
from simulation.clock import Clock
from simulation.plan import Plan, Step
from simulation.providers import KINDS, SERVICES, Letter
from simulation.steps import STEPS
from simulation.story import Story

Item = TypeVar("Item")

GOODS = {"TEA": ("12.50", 9, ""), "PAN": ("99.99", 4, "reduced"), "PEN": ("0.35", 60, "books")}
"""Prices in KES, what is on hand, and the tax class."""
SIGNALS = (
    *("order_placed", "order_status_changed", "shipment_sent", "units_cancelled"),
    *("payment_status_changed", "order_refunded"),
)
EVENTS = {
    "order_placed": "order_placed",
    "order_status_changed": "order_confirmed",
    "shipment_sent": "order_shipped",
    "units_cancelled": "order_part_cancelled",
    "payment_status_changed": "payment_received",
    "order_refunded": "order_refunded",
}
"""One message for each signal, so that each event is one message."""
LIMIT = 3
"""How many rows a job takes at once: few, so that one that starves the others shows in a small shop."""
MAX_UNPAID, MAX_UNITS = 3, 9

ORDERS: dict[str, Any] = {
    "CURRENCY": "KES",
    "PRODUCT_SOURCE": {
        "BACKEND": "shop_catalog.product_source.CatalogProductSource",
        "OPTIONS": {"line_options": "simulation.prices.line_options"},
    },
    "PAYMENT_PROVIDERS": {},
    "API_AUTH": ["simulation.auth.ByEmail"],
    "STAFF_API_AUTH": ["simulation.auth.ByEmail"],
    "PHONE_REGIONS": ["KE"],
    "MAX_UNPAID_ORDERS": MAX_UNPAID,
    "MAX_UNPAID_UNITS": MAX_UNITS,
    "PRICING": [
        "simulation.prices.quantity_discount",
        "simulation.prices.courier_fee",
        {"BACKEND": "shop_orders.pricing.flat_rate_shipping", "OPTIONS": {"amount": "4.50", "free_from": "100"}},
        {
            "BACKEND": "shop_orders.pricing.flat_rate_tax",
            "OPTIONS": {"rate": "0.16", "rates": {"books": "0", "reduced": "0.08"}},
        },
    ],
}
CATALOG: dict[str, Any] = {**getattr(settings, "SHOP_CATALOG", {}), "CURRENCY": "KES", "PRODUCT_URL": ""}
NOTIFY: dict[str, Any] = {
    "NOTIFIERS": {"letter": {"BACKEND": "shop_notify.notifiers.memory.MemoryNotifier"}},
    "QUEUE": "shop_notify.queues.none",
    "ROUTES": [
        {"signal": f"shop_orders.signals.{name}", "event": EVENTS[name], "to": ["customer"], "via": ["letter"]}
        for name in SIGNALS
    ],
}


class ReceiverFailed(Exception):
    """A receiver of the shop's signals has its own troubles."""


@dataclass
class Shopper:
    name: str
    email: str
    customer: Customer | None = None
    token: str = ""
    carts: list[Cart] = field(default_factory=list)
    """Carts as the tabs of the browser saw them, some long ordered."""


class World:
    """One life: what is played, what is heard, and what was found wrong."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.clock = Clock()
        self.story = Story(self.clock)
        self.rng = random.Random(plan.seed)
        self.is_calm = False
        self.asking = 0
        """How many questions to providers wait for their answers."""
        self.depth = 0
        self.deaths = 0
        self.numbers = itertools.count(1)
        self.mail: list[Letter] = []
        self.faults: dict[str, str] = {}
        self.heard: Counter[str] = Counter()
        self.taken: set[str] = set()
        """Events that the shop's own receiver got and did not fail at."""
        self.may_repeat: Counter[str] = Counter()
        self.wanted_back: dict[str, Decimal] = {}
        """What staff wanted to send back, by the reason that they gave."""
        self.placed_with: dict[str, str] = {}
        """The way to pay that each order was placed with, as far as the buyer was told of the order."""
        self.removed: set[str] = set()
        self.removed_for_good: set[str] = set()
        SERVICES.clear()
        SERVICES.update({alias: KINDS[alias][0](self, alias) for alias in plan.ways})
        ORDERS["PAYMENT_PROVIDERS"] = {alias: {"BACKEND": KINDS[alias][1]} for alias in plan.ways}
        CATALOG["PRICES_INCLUDE_TAX"] = plan.prices == "gross"
        MemoryNotifier.outbox.clear()
        users = _users()
        self.staff = users["staff"]
        self.shoppers = _open_shop(users["ann"])

    # Chance.

    def happens(self, trouble: str, chance: float) -> bool:
        """Whether a trouble of this life happens now. It always draws a number, so that later draws stay the same."""
        return self.rng.random() < chance and trouble in self.plan.troubles and not self.is_calm

    def chance(self, chance: float) -> bool:
        return self.rng.random() < chance

    def pick(self, items: Sequence[Item]) -> Item | None:
        return self.rng.choice(items) if items else None

    # Processes.

    def run(self, text: str, work: Callable[[], Any], *, documents: Callable[..., Any] | None = None) -> Any:
        """Let a process do some work. It may die; it may raise a documented error; any other is a fault."""
        dies_at = self.rng.randint(1, self.rng.choice((6, 15, 45)))
        dies_at = dies_at if self.happens("death", 0.15) else 0
        first = len(self.story.lines)
        self.story.say(text)
        before, result, outcome = Counter(self.heard), None, "done"
        with death.process(dies_at=dies_at) as life:
            try:
                result = work()
            except ShopOrdersError as error:
                outcome = f"refused: {type(error).__name__}"
                if documents is not None and not isinstance(error, documented(documents)):
                    self.fault("undocumented error", f"{documents.__name__} raised {error!r}")
            except Exception as error:  # noqa: BLE001 - nothing else may come out
                outcome = f"BROKEN: {type(error).__name__}"
                self.fault(f"broken: {type(error).__name__}", f"{text}: {error!r}")
        if life.is_dead:
            self.deaths += 1
            outcome = f"the process died at its moment {dies_at}"
            self.may_repeat.update(set(self.heard - before))
        self.story.lines[first] += f" → {outcome}"
        return result

    def meanwhile(self, when: str, rival: str = "") -> None:
        """Others act while somebody waits for a provider, and often do the same: the step ``rival``."""
        if self.depth:
            return
        self.depth += 1
        self.story.say(f"{when}:")
        try:
            with self.story.meanwhile():
                if self.chance(0.7) and rival:
                    STEPS[rival].play(self)
                for _ in range(self.rng.choice((1, 1, 2))):
                    self._play_something()
        finally:
            self.depth -= 1

    def play(self, step: Step) -> None:
        self.rng = random.Random(step.seed)
        random.seed(step.seed)
        self.is_calm = step.is_calm
        self.clock.advance(seconds=1 + self.rng.randrange(20))
        said = len(self.story.lines)
        STEPS[step.name].play(self)
        if len(self.story.lines) == said:
            self._play_something()
        self.pass_time()

    def _play_something(self) -> None:
        """Play a step that has something to do now, if a few tries find one."""
        said = len(self.story.lines)
        names = sorted(name for name, known in STEPS.items() if known.may_nest)
        for name in self.rng.choices(names, [STEPS[name].weight for name in names], k=4):
            if len(self.story.lines) == said:
                STEPS[name].play(self)

    def pass_time(self) -> None:
        for service in SERVICES.values():
            service.pass_time()

    def fault(self, kind: str, text: str) -> None:
        if kind not in self.faults:
            self.faults[kind] = text
            self.story.say(f"!!! {kind}: {text}")

    # The post between providers and shop.

    def deliver(self, letter: Letter) -> None:
        """Call the shop's webhook once."""
        letter.left -= 1
        body = {**letter.body, "event_id": f"{letter.alias}-e{letter.number}"}
        request = RequestFactory().post(
            f"/webhooks/{letter.alias}/", data=json.dumps(body), content_type="application/json"
        )
        about = body.get("reference") or body.get("receipt") or self.order_name_of_payment(body.get("payment_id"))
        what = f"“{body['kind']}” of {about}" + (f", {body['status']}" if "status" in body else "")
        what += f" ({body['amount']} {body['currency']})" if body["amount"] else ""
        response = self.run(
            f"{'a stranger' if letter.is_forged else letter.alias} sends the event {what}",
            lambda: webhook(request, letter.alias),
        )
        status = 0 if response is None else response.status_code
        if status != 200:
            letter.left += 0 if letter.is_forged or letter.body.get("tries", 0) > 5 else 1
            letter.body["tries"] = letter.body.get("tries", 0) + 1
            letter.due_at = self.clock.now + timedelta(hours=1) * letter.body["tries"]
        if letter.left <= 0 and letter in self.mail:
            self.mail.remove(letter)

    def due_mail(self) -> list[Letter]:
        return [letter for letter in self.mail_left() if letter.due_at <= self.clock.now]

    def mail_left(self) -> list[Letter]:
        """What may still arrive: nothing does at a provider that was removed for good."""
        return [one for one in self.mail if one.left > 0 and one.alias not in self.removed_for_good]

    # Names.

    def order_name(self, number: str) -> str:
        return self.story.name("order", number)

    def order_name_of_payment(self, payment_id: str | None) -> str:
        number = Order.objects.filter(payments__public_id=payment_id).values_list("number", flat=True).first()
        return self.order_name(number) if number else "nothing"

    # Providers that come and go.

    def have_old_orders(self) -> None:
        """Unpaid orders of a provider that is not in the settings any more, more than a job takes at once."""
        self.is_calm = True
        SERVICES["gone"] = KINDS["card"][0](self, "gone")
        ORDERS["PAYMENT_PROVIDERS"]["gone"] = {"BACKEND": KINDS["card"][1]}
        with events.muted():
            for number in range(LIMIT + 1):
                cart, _token = carts.add_to_cart("PEN")
                contact = checkout.Contact(email=f"old{number}@example.org")
                order = checkout.place_order(cart, contact=contact, provider="gone", notify=False)
                self.placed_with[order.number] = "gone"
                if number % 2:
                    payments.start(order.pk)
        OrderEvent.objects.update(announced_at=self.clock.now)
        self.story.say(f"there are {LIMIT + 1} unpaid orders of a provider that was removed")
        self.remove("gone", for_good=True)

    def remove(self, alias: str, *, for_good: bool) -> None:
        ORDERS["PAYMENT_PROVIDERS"].pop(alias, None)
        self.removed.add(alias)
        if for_good:
            self.removed_for_good.add(alias)

    def put_back(self, alias: str) -> None:
        self.removed.discard(alias)
        ORDERS["PAYMENT_PROVIDERS"] = {
            name: {"BACKEND": KINDS[name][1]} for name in self.plan.ways if name not in self.removed
        }

    # Hearing.

    def hear(self, event_id: str) -> None:
        self.heard[event_id] += 1
        if self.happens("a receiver fails", 0.25):
            self.may_repeat[event_id] += 1
            self.story.say("a receiver of the shop's signal fails")
            raise ReceiverFailed
        self.taken.add(event_id)


_current: list[World] = []


class _Faults(logging.Handler):
    """What is only logged must be documented too: nobody reads logs for errors that nobody expects."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or isinstance(error, ShopOrdersError | ReceiverFailed) or not _current:
            return
        _current[-1].fault(f"logged: {type(error).__name__}", f"{record.getMessage()}: {error!r}")


@contextlib.contextmanager
def shop() -> Iterator[None]:
    """The settings, receivers and logs of the shop. Everything that is played is played in this block."""
    listeners = []
    for name in SIGNALS:

        def listen(sender: Any, *, event_id: Any, **kwargs: Any) -> None:
            if _current:
                _current[-1].hear(str(event_id))

        getattr(signals, name).connect(listen)
        listeners.append((name, listen))
    handler = _Faults(level=logging.WARNING)
    loggers = [logging.getLogger(name) for name in ("shop_orders", "shop_catalog", "shop_notify", "django.db")]
    states = [(logger, logger.propagate) for logger in loggers]
    with (
        override_settings(
            SHOP_ORDERS=ORDERS, SHOP_NOTIFY=NOTIFY, SHOP_CATALOG=CATALOG, ROOT_URLCONF="simulation.urls"
        ),
        translation.override("en"),
        death.watched(),
        quick.columns(),
    ):
        for logger in loggers:
            logger.addHandler(handler)
            logger.propagate = False
        try:
            yield
        finally:
            for logger, propagates in states:
                logger.removeHandler(handler)
                logger.propagate = propagates
            for name, listen in listeners:
                getattr(signals, name).disconnect(listen)


@contextlib.contextmanager
def playing(world: World) -> Iterator[None]:
    """What the shop says and logs in this block belongs to this life."""
    _current.append(world)
    try:
        yield
    finally:
        _current.pop()


@cache
def documented(function: Callable[..., Any]) -> tuple[type[Exception], ...]:
    """The exceptions that the docstring of a function of the shop names, and Busy, which any transaction may raise."""
    _text, _found, raises = (function.__doc__ or "").partition("Raises:")
    named = [getattr(exceptions, name, None) for name in re.findall(r"[A-Z][A-Za-z]+", raises)]
    return (exceptions.Busy, *(kind for kind in named if isinstance(kind, type) and issubclass(kind, Exception)))


def _users() -> dict[str, Any]:
    """Ann and a member of staff, whatever the site's user model is."""
    model = get_user_model()
    users = {}
    for name in ("ann", "staff"):
        email = f"{name}@example.org"
        known = model.objects.filter(email=email).first()
        users[name] = known or model.objects.create_user(
            **{model.USERNAME_FIELD: email, "email": email, "is_staff": name == "staff"}, is_superuser=name == "staff"
        )
    return users


def _open_shop(user: Any) -> list[Shopper]:
    """An empty shop with goods on its shelves."""
    clean()
    known = {product.sku: product for product in Product.objects.filter(sku__in=GOODS)}
    with transaction.atomic():
        for sku, (price, quantity, tax_class) in GOODS.items():
            if sku not in known:
                known[sku] = Product.objects.create(
                    sku=sku, slug=sku.lower(), name=sku.title(), price=Decimal(price), tax_class=tax_class
                )
            Product.objects.filter(sku=sku).update(
                stock_quantity=quantity, reserved_quantity=0, price=Decimal(price), is_active=True
            )
        StockMovement.objects.bulk_create(
            StockMovement(product=known[sku], kind="receive", reference="opening", stock_change=quantity)
            for sku, (_price, quantity, _tax_class) in GOODS.items()
        )
        ann = Customer.objects.create(
            user=user, first_name="Ann", email="ann@example.org", phone="+254712345678", language="en"
        )
    return [Shopper("Ann", "ann@example.org", customer=ann), Shopper("a guest", "guest@example.org")]


def clean() -> None:
    """Delete what a life has left: every row of the three apps but the products."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table in _tables():
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")


@cache
def _tables() -> tuple[str, ...]:
    kept = {"Product", "ProductCategory", "ProductImage", "Category", "CategoryTreeVersion", "CategoryStatistics"}
    kept |= {"ProductTerms", "FacetValue", "FacetCount"}
    models = [model for label in ("shop_notify", "shop_orders") for model in apps.get_app_config(label).get_models()]
    models += [model for model in apps.get_app_config("shop_catalog").get_models() if model.__name__ not in kept]
    return tuple(model._meta.db_table for model in models)
