"""The dashboard: the figures of the admin's first page. Each links to the list that it counts.

A panel is shown only to staff who may see its list. The number of queries is constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.db.models import Count, Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from shop_catalog.models import Product
from shop_notify.models import Notification, State
from shop_orders.contrib.pages.templatetags.shop_orders_pages import price
from shop_orders.models import IncomingPayment, Order, OrderStatus

from backoffice import lists, plots, sales
from backoffice.sales import Period

PERIODS = (7, 30, 90)
LOW_STOCK_SHOWN = 8
NOT_ARRIVED = (State.FAILED, State.DEAD, State.UNKNOWN)
TASKS: Mapping[str, tuple[Any, Any]] = {
    OrderStatus.PENDING: (gettext_lazy("To confirm"), gettext_lazy("pending: not yet paid or not yet accepted")),
    OrderStatus.CONFIRMED: (gettext_lazy("To pack"), gettext_lazy("confirmed")),
    OrderStatus.PROCESSING: (gettext_lazy("To ship"), gettext_lazy("being processed")),
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure, its label, and the URL of the list that it counts."""

    label: Any
    value: Any
    url: str
    hint: Any = ""
    is_urgent: bool = False
    bar: SafeString | str = ""


@dataclass(frozen=True, kw_only=True)
class Sales:
    """One currency's sales of the period."""

    currency: str
    total: Figure
    plot: SafeString
    days: Sequence[tuple[sales.Day, Figure]]
    categories: Sequence[Figure]


@dataclass(frozen=True, kw_only=True)
class Messages:
    not_arrived: Sequence[Figure]
    waiting: Figure
    oldest: Figure | None
    oldest_since: datetime | None = None


@dataclass(kw_only=True)
class Dashboard:
    period: Period
    periods: Sequence[tuple[int, bool]]
    tasks: Sequence[Figure] = ()
    sales: Sequence[Sales] = ()
    statuses: Sequence[Figure] = ()
    low_stock: Sequence[Figure] = ()
    low_stock_total: Figure | None = None
    messages: Messages | None = None
    sees: frozenset[str] = field(default_factory=frozenset)
    """The panels that the user may see."""


def of(request: HttpRequest, site: AdminSite) -> Dashboard:
    """The dashboard of a user; ``?days=`` is one of PERIODS, by default the middle one."""
    asked = request.GET.get("days", "")
    count = next((days for days in PERIODS if str(days) == asked), PERIODS[1])
    period = Period.of_days(count)
    board = Dashboard(period=period, periods=[(days, days == count) for days in PERIODS])
    sees = {
        name
        for name, model in {"orders": Order, "stock": Product, "messages": Notification}.items()
        if _may_see(request, site, model)
    }
    if "orders" in sees:
        board.tasks = [*_tasks(), *_money_to_decide(request, site)]
        board.sales = _sales(period, with_categories="stock" in sees)
        board.statuses = _statuses(period)
    if "stock" in sees:
        board.low_stock_total, board.low_stock = _low_stock()
    if "messages" in sees:
        board.messages = _messages(period)
    board.sees = frozenset(sees)
    return board


def _may_see(request: HttpRequest, site: AdminSite, model: type[Model]) -> bool:
    return site.is_registered(model) and site.get_model_admin(model).has_view_permission(request)


def _tasks() -> list[Figure]:
    counts = sales.open_orders()
    tasks = [
        Figure(label=label, hint=hint, value=counts[status], url=lists.orders(status__exact=status))
        for status, (label, hint) in TASKS.items()
    ]
    refunds = Figure(
        label=_("To refund"),
        hint=_("overpaid, or paid and cancelled"),
        value=Order.objects.refund_due().count(),
        url=lists.orders(refund_due="yes"),
    )
    return [*tasks, refunds]


def _money_to_decide(request: HttpRequest, site: AdminSite) -> list[Figure]:
    """Money about which staff must decide. Shown only if there is some."""
    figures = []
    if _may_see(request, site, IncomingPayment):
        held = IncomingPayment.objects.filter(status=IncomingPayment.Status.HELD).count()
        url = lists.url("shop_orders_incomingpayment", status__exact=IncomingPayment.Status.HELD)
        label, hint = _("To assign"), _("money that customers sent by hand")
        figures.append(Figure(label=label, hint=hint, value=held, url=url, is_urgent=True))
    unclear = Order.objects.needs_decision().count()
    url = lists.orders(needs_decision="yes")
    label, hint = _("To decide"), _("payments, refunds or disputes with an unclear result")
    figures.append(Figure(label=label, hint=hint, value=unclear, url=url, is_urgent=True))
    return [figure for figure in figures if figure.value]


def _sales(period: Period, *, with_categories: bool) -> list[Sales]:
    """The shop's own currency comes first, and is shown even if nothing was sold."""
    days = sales.by_day(period)
    by_category = sales.by_category(period) if with_categories else {}
    own = settings.SHOP_CURRENCY
    return [
        _sales_in(currency, period, days.get(currency, []), by_category.get(currency, []))
        for currency in [own, *sorted(set(days) - {own})]
    ]


def _sales_in(currency: str, period: Period, days: list[sales.Day], rows: list[sales.CategorySales]) -> Sales:
    days = days or [sales.Day(day=day, total=Decimal(0), orders=0) for day in period.days()]
    total = sum((day.total for day in days), Decimal(0))
    orders = sum(day.orders for day in days)
    in_words = ngettext("%(total)s in %(count)d order", "%(total)s in %(count)d orders", orders) % {
        "total": price(total, currency),
        "count": orders,
    }
    return Sales(
        currency=currency,
        total=Figure(label=_("Sales"), value=price(total, currency), hint=in_words, url=lists.sales(period, currency)),
        plot=plots.columns(
            [
                plots.Column(label=date_format(day.day, "j M"), value=day.total, text=price(day.total, currency))
                for day in days
            ],
            name=f"sales-{currency}",
            title=_("Sales by day in %(currency)s") % {"currency": currency},
            description=_description(period, days, currency, in_words),
        ),
        days=[
            (
                day,
                Figure(
                    label=date_format(day.day, "DATE_FORMAT"),
                    value=price(day.total, currency),
                    url=lists.sales(Period(day.day, day.day), currency),
                ),
            )
            for day in reversed(days)
        ],
        categories=_categories(period, currency, rows),
    )


def _description(period: Period, days: list[sales.Day], currency: str, in_words: str) -> str:
    best = max(days, key=lambda day: day.total)
    known = {
        "first": date_format(period.first, "DATE_FORMAT"),
        "last": date_format(period.last, "DATE_FORMAT"),
        "sum": in_words,
        "best": date_format(best.day, "DATE_FORMAT"),
        "most": price(best.total, currency),
    }
    if not best.total:
        return _("Nothing was sold between %(first)s and %(last)s.") % known
    return _("Between %(first)s and %(last)s: %(sum)s. The best day was %(best)s with %(most)s.") % known


def _categories(period: Period, currency: str, rows: list[sales.CategorySales]) -> list[Figure]:
    most = max((row.total for row in rows), default=Decimal(0))
    return [
        Figure(
            label=row.name or _("No longer in a category"),
            value=price(row.total, currency),
            url=lists.sales(period, currency, category=row.slug),
            bar=plots.share(row.total, most),
        )
        for row in rows
    ]


def _statuses(period: Period) -> list[Figure]:
    counts = sales.by_status(period)
    most = max(counts.values())
    return [
        Figure(
            label=OrderStatus(status).label.capitalize(),
            value=count,
            url=lists.orders(period, status__exact=status),
            bar=plots.share(count, most),
        )
        for status, count in counts.items()
    ]


def _low_stock() -> tuple[Figure, list[Figure]]:
    low = Product.objects.low_on_stock()
    rows = low.select_related("parent").order_by("stock_quantity", "sku")[:LOW_STOCK_SHOWN]
    shown = [
        Figure(
            label=_name(product),
            value=product.available_quantity,
            hint=_("of at least %(count)d") % {"count": product.low_stock_threshold or 0},
            url=reverse("admin:shop_catalog_product_change", args=[product.pk]),
            is_urgent=product.available_quantity <= 0,
        )
        for product in rows
    ]
    total = Figure(
        label=_("Low on stock"),
        hint=_("below their threshold"),
        value=low.count(),
        url=lists.url("shop_catalog_product", stock="low"),
    )
    return total, shown


def _name(product: Product) -> str:
    """``Acacia T-shirt, M`` for a variant."""
    name = product.name or (product.parent.name if product.parent else "")
    return ", ".join([name, *map(str, product.options.values())])


def _messages(period: Period) -> Messages:
    now_open = Notification.objects.open()
    oldest = now_open.order_by("created_at", "pk").first()
    counts = {
        row["state"]: row["count"]
        for row in Notification.objects.filter(
            state__in=NOT_ARRIVED, created_at__gte=period.start, created_at__lt=period.end
        )
        .order_by()
        .values("state")
        .annotate(count=Count("pk"))
    }
    return Messages(
        not_arrived=[
            Figure(
                label=state.label.capitalize(),
                value=counts.get(state.value, 0),
                url=lists.notifications(period, state__exact=state.value),
                is_urgent=bool(counts.get(state.value)) and state != State.UNKNOWN,
            )
            for state in NOT_ARRIVED
        ],
        waiting=Figure(
            label=_("Waiting to be sent"),
            value=now_open.count(),
            url=lists.notifications(state__in="queued,sending"),
        ),
        oldest=Figure(
            label=str(oldest.event).replace("_", " ").capitalize(),
            value=oldest.reference,
            hint=oldest.alias,
            url=reverse("admin:shop_notify_notification_change", args=[oldest.pk]),
        )
        if oldest
        else None,
        oldest_since=oldest.created_at if oldest else None,
    )
