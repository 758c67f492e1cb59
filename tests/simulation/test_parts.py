"""The parts of the simulation that must hold before its findings mean anything."""

import contextlib
from unittest import mock

import pytest
from django.apps import apps
from django.db import transaction
from django.db.models import Value
from django.utils import timezone
from shop_orders.models import Customer, Order, OrderEvent, Payment

from simulation import clock, death, life, quick, world
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


def test_the_remembered_columns_are_those_that_django_compiles():
    models = [
        row for name in ("orders", "catalog", "notify") for row in apps.get_app_config(f"shop_{name}").get_models()
    ]
    querysets = [queryset for model in models for queryset in _queries(model)]
    querysets += [
        Order.objects.select_related("customer")[:3],
        Order.objects.select_related("customer__user").order_by("customer__email"),
        OrderEvent.objects.select_related("order__customer", "actor"),
        Payment.objects.filter(order__status="pending").select_related("order"),
        Payment.objects.select_related("order").only("order__number"),
    ]
    plain = [str(queryset.query) for queryset in querysets]
    with quick.columns():
        for _ in range(2):
            assert [str(queryset.query) for queryset in querysets] == plain


def test_remembered_columns_change_no_life():
    stories = []
    for columns in (quick.columns, contextlib.nullcontext):
        with mock.patch.object(quick, "columns", columns), world.shop():
            stories.append(life.play(make(3)).story)
    assert stories[0] == stories[1]


def _queries(model):
    rows = model.objects.order_by("pk")
    yield model.objects.order_by("-pk")
    yield model.objects.filter(pk=1)
    yield model.objects.filter(pk__in=model.objects.filter(pk=2))
    yield rows.only("pk")
    yield rows.values_list("pk")
    yield rows.annotate(one=Value(1)).order_by("one")
    yield model.objects.order_by().union(model.objects.order_by()).order_by("pk")
