"""The dashboard: every figure is compared with a slow calculation, and with the list it links to."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from backoffice import lists, sales
from backoffice.sales import Period
from django.contrib import admin
from django.utils import timezone
from shop_catalog import products
from shop_catalog.models import Product
from shop_notify.models import Notification
from shop_orders.models import IncomingPayment, Order, OrderLine, OrderStatus, Payment, ProviderEvent

pytestmark = pytest.mark.django_db

NAIROBI = ZoneInfo("Africa/Nairobi")
KITCHEN = {"MUG", "BOOK"}
CLOTHING = {"SHIRT-S", "SHIRT-L", "BOOK"}


def listed(client, url):
    """The rows of an admin list."""
    response = client.get(url)
    assert response.status_code == 200, (url, response.headers.get("Location"))
    return list(response.context["cl"].queryset)


def board(client, **query):
    return client.get("/admin/", query).context["dashboard"]


def notify(state="queued", *, at=None, **fields):
    row = Notification.objects.create(
        event_id=str(Notification.objects.count()),
        event="order_placed",
        alias="sms",
        channel="sms",
        address="+254712345678",
        state=state,
        **fields,
    )
    if at:
        Notification.objects.filter(pk=row.pk).update(created_at=at)
    return row


@pytest.fixture
def sold(catalogue, batch):
    """Two hundred orders of two months, in two currencies and every status, some in the minutes around midnight."""
    chance = random.Random(6)
    skus = ["MUG", "SHIRT-S", "SHIRT-L", "BOOK", "GIFT", "GONE"]
    for number in range(200):
        day = timezone.localtime(timezone=NAIROBI) - timedelta(days=chance.randint(0, 60))
        midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
        near = timedelta(seconds=chance.choice((-1, 0, 1)))
        moment = midnight + near if number % 3 == 0 else midnight + timedelta(minutes=chance.randint(0, 1439))
        currency = "USD" if number % 5 == 0 else "KES"
        lines = {
            sku: (chance.randint(1, 4), f"{chance.randint(1, 90000) / 100:.2f}")
            for sku in chance.sample(skus, chance.randint(1, 4))
        }
        batch.add(lines, at=moment, status=chance.choice(OrderStatus.values), currency=currency)
    batch.write()


def brute_force(period):
    """``{currency: {day: (total, orders)}}`` and ``{currency: {category: total}}``, one order after the other."""
    days, by_category = (
        defaultdict(lambda: defaultdict(lambda: [Decimal(0), 0])),
        defaultdict(lambda: defaultdict(Decimal)),
    )
    for order in Order.objects.all():
        day = order.placed_at.astimezone(NAIROBI).date()
        if order.status == "cancelled" or not period.first <= day <= period.last:
            continue
        days[order.currency][day][0] += order.total
        days[order.currency][day][1] += 1
        for line in OrderLine.objects.filter(order=order):
            on = [slug for slug, skus in (("kitchen", KITCHEN), ("clothing", CLOTHING)) if line.sku in skus]
            for slug in on or [sales.NO_CATEGORY]:
                by_category[order.currency][slug] += line.line_total
    return days, by_category


@pytest.mark.parametrize("count", [1, 7, 30, 90])
def test_sales_by_day_are_those_of_the_orders(sold, count):
    period = Period.of_days(count)
    expected, _by_category = brute_force(period)

    found = sales.by_day(period)

    assert set(found) == set(expected)
    for currency, days in found.items():
        assert [day.day for day in days] == period.days()
        assert {day.day: [day.total, day.orders] for day in days if day.orders} == dict(expected[currency])


@pytest.mark.parametrize("count", [7, 90])
def test_sales_by_category_are_those_of_the_lines(sold, count):
    _days, expected = brute_force(Period.of_days(count))

    found = sales.by_category(Period.of_days(count))

    assert {currency: {row.slug: row.total for row in rows} for currency, rows in found.items()} == expected


def test_every_figure_of_sales_links_to_its_orders(sold, staff):
    client = staff("everything")
    for sold_in in board(client, days=90).sales:
        rows = listed(client, sold_in.total.url)
        assert {row.currency for row in rows} == {sold_in.currency}
        days = defaultdict(list)
        for row in rows:
            days[row.placed_at.astimezone(NAIROBI).date()].append(row.total)
        assert {day.day: (day.total, day.orders) for day, _figure in sold_in.days if day.orders} == {
            day: (sum(totals), len(totals)) for day, totals in days.items()
        }
        day, figure = next(pair for pair in sold_in.days if pair[0].orders)
        assert sum(row.total for row in listed(client, figure.url)) == day.total


def test_every_category_links_to_the_orders_with_something_from_it(sold, staff):
    client, period = staff("everything"), Period.of_days(30)
    for currency, rows in sales.by_category(period).items():
        for row in rows:
            orders = listed(client, lists.sales(period, currency, category=row.slug))
            lines = OrderLine.objects.filter(sales.lines_in_category(row.slug), order__in=orders)
            assert sum(line.line_total for line in lines) == row.total
            assert {line.order_id for line in lines} == {order.pk for order in orders}


def test_statuses_and_tasks_link_to_as_many_orders(sold, staff):
    client = staff("everything")
    seen = board(client)

    for figure in [*seen.tasks, *seen.statuses]:
        assert len(listed(client, figure.url)) == figure.value
    assert (
        sum(figure.value for figure in seen.tasks[:-1])
        == Order.objects.filter(status__in=("pending", "confirmed", "processing")).count()
    )
    assert sum(figure.value for figure in seen.statuses) == len(listed(client, lists.orders(seen.period)))


def test_money_to_refund_is_a_task_that_links_to_its_orders(sell, catalogue, staff):
    sell({"MUG": (1, "950")})
    order = sell({"MUG": (1, "950")})
    Order.objects.filter(pk=order.pk).update(paid_amount=order.total + 5)

    client = staff("everything")
    task = board(client).tasks[-1]

    assert (str(task.label), task.value) == ("To refund", 1)
    assert [row.pk for row in listed(client, task.url)] == [order.pk]


def test_a_day_is_that_of_the_shop_not_of_greenwich(sell, settings):
    settings.TIME_ZONE = "Africa/Nairobi"
    sell({"MUG": (1, "100")}, at=datetime(2026, 3, 9, 20, 59, 59, tzinfo=ZoneInfo("UTC")), delivery="0")
    sell({"MUG": (1, "10")}, at=datetime(2026, 3, 9, 21, 0, tzinfo=ZoneInfo("UTC")), delivery="0")
    first, second = date(2026, 3, 9), date(2026, 3, 10)

    found = sales.by_day(Period(first, second))["KES"]

    assert [(day.day, day.total) for day in found] == [(first, 100), (second, 10)]


def test_a_day_of_twenty_three_hours_loses_nothing(sell):
    with timezone.override("Europe/Berlin"):
        day = date(2026, 3, 29)
        period = Period(day, day)
        assert period.end.timestamp() - period.start.timestamp() == 23 * 3600
        for moment, price in ((period.start, "1"), (period.end - timedelta(seconds=1), "2"), (period.end, "4")):
            sell({"MUG": (1, price)}, at=moment, delivery="0")

        assert [row.total for row in sales.by_day(period)["KES"]] == [3]


def test_cancelled_orders_are_excluded_from_the_figures(catalogue, sell, staff):
    sell({"MUG": (1, "950")}, status="cancelled")

    client = staff("everything")
    seen = board(client)

    assert sales.by_category(seen.period) == {}
    assert [sold_in.total.value for sold_in in seen.sales] == ["KSh\xa00"]
    assert "Cancelled orders are not counted" in client.get("/admin/").content.decode()


def test_sums_of_two_currencies_are_not_added(catalogue, sell, staff):
    sell({"MUG": (1, "950")})
    sell({"MUG": (1, "7.50")}, currency="USD", delivery="0")

    seen = board(staff("everything"))

    assert [(sold_in.currency, sold_in.total.value) for sold_in in seen.sales] == [
        ("KES", "KSh\xa01,300"),
        ("USD", "$\xa07.50"),
    ]


def test_low_stock_is_the_list_of_low_stock(catalogue, staff):
    client = staff("everything")
    seen = board(client)

    assert seen.low_stock_total.value == len(listed(client, seen.low_stock_total.url)) == 1
    assert [(figure.label, figure.value) for figure in seen.low_stock] == [("Market mug", 4)]
    assert client.get(seen.low_stock[0].url).status_code == 200


def test_messages_that_did_not_arrive_link_to_as_many(staff):
    now = timezone.now()
    for state in ("failed", "dead", "dead", "unknown", "sent", "delivered"):
        notify(state)
    notify("dead", at=now - timedelta(days=40))
    client = staff("everything")

    seen = board(client).messages

    assert [figure.value for figure in seen.not_arrived] == [1, 2, 1]
    for figure in seen.not_arrived:
        assert len(listed(client, figure.url)) == figure.value
    assert [figure.value for figure in board(client, days=90).messages.not_arrived] == [1, 3, 1]


def test_the_oldest_message_that_is_not_sent_is_named(staff):
    now = timezone.now()
    notify("queued", at=now - timedelta(minutes=3), reference="NEW")
    notify("sending", at=now - timedelta(hours=2), reference="OLD")
    notify("sent", at=now - timedelta(days=2), reference="SENT")
    client = staff("everything")

    seen = board(client).messages

    assert (seen.waiting.value, seen.oldest.value) == (2, "OLD")
    assert len(listed(client, seen.waiting.url)) == 2
    assert "OLD" in client.get(seen.oldest.url).content.decode()


@pytest.mark.parametrize(
    ("permissions", "panels"),
    [
        ((), set()),
        (("shop_orders.view_order",), {"orders"}),
        (("shop_catalog.view_product",), {"stock"}),
        (("shop_notify.view_notification",), {"messages"}),
        (("shop_orders.view_order", "shop_catalog.view_product"), {"orders", "stock"}),
    ],
)
def test_a_panel_is_shown_only_to_staff_who_may_see_its_list(permissions, panels, catalogue, sell, staff):
    sell({"MUG": (3, "950")})
    notify("dead")
    client = staff(*permissions)

    seen = board(client)
    text = client.get("/admin/").content.decode()

    assert seen.sees == panels
    assert bool(seen.tasks and seen.statuses and seen.sales) == ("orders" in panels)
    assert ("KSh" in text) == ("orders" in panels)
    assert ("Sales by category" in text) == ({"orders", "stock"} <= panels)
    assert ("Market mug" in text) == ("stock" in panels)
    assert ("Did not arrive" in text) == ("messages" in panels)


def test_every_link_of_the_page_opens(sold, staff):
    notify("dead")
    client = staff("everything")
    page = client.get("/admin/").content.decode().partition('class="everything"')[0]
    urls = {unescape(url) for url in re.findall(r'href="(/admin/[^"]*|\?[^"]*)"', page)}

    assert len(urls) > 40
    assert {client.get(url if url.startswith("/") else f"/admin/{url}").status_code for url in urls} == {200}


def test_the_query_count_of_the_dashboard_does_not_depend_on_the_sales(
    catalogue, sell, staff, django_assert_max_num_queries
):
    client = staff("everything")
    sell({"MUG": (1, "950")})
    notify("dead")
    client.get("/admin/")
    with django_assert_max_num_queries(30) as few:
        client.get("/admin/?days=90")
    count = len(few)
    for number in range(40):
        sell({"MUG": (1, "950"), "BOOK": (2, "700"), "SHIRT-S": (1, "5")}, at=timezone.now() - timedelta(days=number))
        notify("dead")
        products.create(f"LOW-{number}", name="Low", price=Decimal(1), low_stock_threshold=2)
    with django_assert_max_num_queries(count):
        client.get("/admin/?days=90")


def test_money_to_decide_is_urgent_and_links_to_its_lists(sold, staff):
    client = staff("everything")
    assert not [task for task in board(client).tasks if task.is_urgent]
    order = Order.objects.first()
    for number, status in enumerate(("held", "held", "dismissed")):
        IncomingPayment.objects.create(
            provider="mobile_money", receipt=f"R{number}", amount=100, currency="KES", status=status
        )
    for status, error in (("held", "Odd."), ("pending", ""), ("failed", "Refused.")):
        Payment.objects.create(
            order=order, provider="mobile_money", amount=1, currency="KES", status=status, error=error
        )
    disputed = Order.objects.exclude(pk=order.pk).first()
    card = Payment.objects.create(order=disputed, provider="card", amount=1, currency="KES", status="captured")
    ProviderEvent.objects.create(
        provider="card", provider_event_id="d-1", kind="disputed", payment=card, outcome="held"
    )
    incoming, unclear = [task for task in board(client).tasks if task.is_urgent]
    assert (str(incoming.label), incoming.value, len(listed(client, incoming.url))) == ("To assign", 2, 2)
    assert (str(unclear.label), unclear.value) == ("To decide", 2)
    assert set(listed(client, unclear.url)) == {order, disputed}


def test_an_empty_shop_has_a_first_page(staff):
    client = staff("everything")

    response = client.get("/admin/")

    assert response.status_code == 200
    assert "Nothing was sold" in response.content.decode()


@pytest.mark.parametrize("asked", ["", "7", "90", "0", "-1", "999999999999", "x", "\0"])
def test_any_period_that_is_asked_for_gives_a_page(asked, staff):
    seen = board(staff("everything"), days=asked)

    assert len(seen.period.days()) == (int(asked) if asked in {"7", "90"} else 30)


def test_a_category_that_is_gone_is_an_empty_list(staff, sold):
    assert listed(staff("everything"), lists.orders(category="no-such-category")) == []


def test_no_figure_is_shown_without_a_log_in(client, sold):
    response = client.get("/admin/", follow=True)

    assert "KSh" not in response.content.decode()


def test_the_admin_site_is_the_backoffice_with_all_models():
    assert type(admin.site._wrapped).__name__ == "BackofficeSite"  # type: ignore[attr-defined]
    assert admin.site.is_registered(Product)
