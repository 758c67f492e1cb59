"""The parts of the simulation that must hold before its findings mean anything."""

import pytest
from django.db import transaction
from django.utils import timezone
from shop_orders.models import Customer

from simulation import clock, death, life, world
from simulation.plan import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(db):
    with world.shop():
        yield


def test_one_seed_plays_one_life(shop):
    first, second = life.play(make(3)), life.play(make(3))
    assert first.story == second.story
    assert first.faults == second.faults


def test_another_seed_plays_another_life(shop):
    assert life.play(make(3)).story != life.play(make(4)).story


def test_time_moves_only_when_the_simulation_says_so():
    virtual = clock.Clock()
    with clock.virtual(virtual):
        assert timezone.now() == clock.START
        assert Customer().created_at is None
        virtual.advance(days=3)
        assert (timezone.now() - clock.START).days == 3
    assert timezone.now() != virtual.now


def test_a_process_that_dies_leaves_nothing_of_its_transaction():
    with death.watched():
        with death.process(dies_at=3) as life, transaction.atomic():
            Customer.objects.create(first_name="One")
            Customer.objects.create(first_name="Two")
            Customer.objects.create(first_name="Three")
        assert life.is_dead
        assert not Customer.objects.exists()
        Customer.objects.create(first_name="Another process")
    assert Customer.objects.get().first_name == "Another process"


def test_a_process_that_dies_before_a_commit_callback_has_committed():
    called = []
    with death.watched():
        with death.process() as whole, transaction.atomic():
            Customer.objects.create(first_name="Counted")
            transaction.on_commit(lambda: called.append(1))
        with death.process(dies_at=whole.moments) as life, transaction.atomic():
            Customer.objects.create(first_name="Dead")
            transaction.on_commit(lambda: called.append(2), robust=True)
    assert life.is_dead
    assert called == [1]
    assert Customer.objects.filter(first_name="Dead").exists()
