"""Plays one life from its plan, lets it come to rest, and judges it."""

from __future__ import annotations

from dataclasses import dataclass

from shop_notify.models import Notification
from shop_orders.models import Order, OrderEvent, OrderStatus, Payment, ProviderEvent, Refund

from simulation import actors, books, clock, jobs
from simulation.plan import Plan
from simulation.providers import SERVICES
from simulation.world import World, playing

PAUSES = (2, 3, 10, 40, 180, 720, 1440, 2880, 9000)
"""Minutes between the rounds of jobs, as long as something has not ended."""
LAST_PAUSES = (1440, 10080)
"""Rounds that follow in any case, for jobs that look at a row every day or week."""


@dataclass(frozen=True)
class Outcome:
    plan: Plan
    faults: dict[str, str]
    story: str


def play(plan: Plan) -> Outcome:
    world = World(plan)
    with playing(world), clock.virtual(world.clock):
        for step in plan.steps:
            world.play(step)
        come_to_rest(world)
        books.judge(world)
    return Outcome(plan, world.faults, str(world.story))


def come_to_rest(world: World) -> None:
    """Nothing goes wrong any more; time passes until everything that can end has ended."""
    world.is_calm = True
    world.story.say("--- the shop comes to rest: providers are there, jobs run, time passes ---")
    for alias in sorted(world.removed - world.removed_for_good):
        world.put_back(alias)
    for service in SERVICES.values():
        service.is_away = False
    for minutes in PAUSES:
        _let_pass(world, minutes)
        if minutes == 180 and "staff are slow" not in world.plan.troubles:
            staff_work(world)
        if _has_ended(world):
            break
    for minutes in LAST_PAUSES:
        staff_work(world)
        _let_pass(world, minutes)


def _let_pass(world: World, minutes: int) -> None:
    world.clock.advance(minutes=minutes)
    world.pass_time()
    while letters := world.due_mail():
        world.deliver(world.rng.choice(letters))
    jobs.run_all(world)


def _has_ended(world: World) -> bool:
    """Whether nothing is under way any more, as far as that can be told from outside."""
    deals = [deal for service in SERVICES.values() if service.sends_events for deal in service.deals.values()]
    return not (
        world.mail
        or any(deal.status in ("open", "authorised") or deal.on_the_way for deal in deals)
        or Order.objects.filter(status=OrderStatus.PENDING).exists()
        or Payment.objects.filter(status__in=Payment.OPEN).exists()
        or Refund.objects.filter(status__in=("queued", "pending")).exists()
        or ProviderEvent.objects.filter(outcome__in=("received", "waiting", "unmatched")).exists()
        or OrderEvent.objects.waiting().exists()
        or Notification.objects.filter(state__in=("queued", "sending")).exists()
    )


def staff_work(world: World) -> None:
    """Staff do what the shop shows them: the statement, held payments, money that is due back."""
    actors.read_all(world)
    for payment in Payment.objects.filter(status=Payment.Status.HELD).exclude(provider__in=world.removed):
        actors.settle_by_hand(world, payment)
    for order in Order.objects.refund_due().order_by("id"):
        if order.refund_due:
            actors.give_back_due(world, order)
