"""Plays one life from its plan, lets it come to rest, and judges it."""

from __future__ import annotations

from dataclasses import dataclass

from shop_orders.models import IncomingPayment, Order

from simulation import actors, books, callers, clock, jobs  # noqa: F401 - callers registers its steps
from simulation.plan import Plan
from simulation.providers import SERVICES
from simulation.world import World, playing

PAUSES = (2, 3, 10, 40, 180, 720, 1440, 2880, 9000)
"""Minutes between the rounds of jobs, as long as something has not ended."""
LAST_PAUSES = (1440, 10080)
"""Rounds that follow in any case, for jobs that look at a row every day or week."""
FURTHER_PAUSES = (2, 5, 10, 20, 60, 180, 400, 720, 1440, 2880)
"""Rounds for what has only begun then, such as a refund whose event has to be confirmed."""


@dataclass(frozen=True)
class Outcome:
    plan: Plan
    faults: dict[str, str]
    story: str


def play(plan: Plan) -> Outcome:
    world = World(plan)
    with playing(world), clock.virtual(world.clock):
        if "a removed provider has old orders" in plan.troubles:
            world.have_old_orders()
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
    for minutes in FURTHER_PAUSES:
        if _has_ended(world):
            break
        _let_pass(world, minutes)
        staff_work(world)


def _let_pass(world: World, minutes: int) -> None:
    world.clock.advance(minutes=minutes)
    world.pass_time()
    while letters := world.due_mail():
        world.deliver(world.rng.choice(letters))
    jobs.run_all(world)


def _has_ended(world: World) -> bool:
    """Whether nothing is under way any more, as far as that can be told from outside."""
    deals = [deal for service in SERVICES.values() if service.sends_events for deal in service.deals.values()]
    is_open = any(deal.status in ("open", "processing", "authorised") or deal.on_the_way for deal in deals)
    return not (world.mail_left() or is_open or jobs.has_work(world) or actors.undecided_refunds())


def staff_work(world: World) -> None:
    """Staff do what the shop shows them: the statement, held payments, money that is due back."""
    actors.read_all(world)
    for payment in actors.undecided():
        if payment.needs_decision:
            actors.settle_by_hand(world, payment)
    for refund in actors.undecided_refunds():
        actors.settle_refund(world, refund)
    for row in IncomingPayment.objects.filter(status="held").order_by("id"):
        actors.sort_one(world, row)
    for order in Order.objects.refund_due().order_by("id"):
        if order.refund_due:
            actors.give_back_due(world, order)
