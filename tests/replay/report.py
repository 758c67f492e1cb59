"""Compare the shop's data with the file's, to the cent and to the unit."""

from __future__ import annotations

import platform
import resource
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from replay.books import Books
from replay.clients import Outcome
from replay.invoices import Key


def figures(outcome: Outcome, seconds: float, mails: int) -> Iterator[str]:
    """Yield lines with the measured speed and the platform."""
    done = len(outcome.orders) + len(outcome.cancelled)
    requests = sum(map(len, outcome.seconds.values()))
    yield f"{len(outcome.orders):,} orders and {len(outcome.cancelled):,} cancellations in {seconds:,.0f} s."
    yield f"{done / seconds:.1f} orders and cancellations a second, {requests / seconds:.0f} requests a second."
    for kind, times in outcome.seconds.items():
        times.sort()
        p50, p99 = (1000 * times[int(len(times) * share)] for share in (0.5, 0.99))
        yield f"{kind}: {len(times):,} requests, p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    yield f"{cpu.ru_utime + cpu.ru_stime:,.0f} s of CPU in the web server and the queue's worker, start included"
    yield f"{mails:,} e-mails delivered; repeated after: {dict(outcome.retries) or 'nothing'}"
    yield _platform()


def compare(expected: Books, skus: Mapping[Key, str]) -> list[str]:
    """Print the figures of the file and of the shop side by side, and return the differences."""
    rows = _rows(expected)
    print(f"{'':45}{'in the file':>16}{'in the shop':>16}")
    for label, wanted, found in rows:
        print(f"{label:45}{wanted:>16,}{'' if found is None else format(found, ','):>16}")
    faults = [
        f"{label}: {wanted} in the file, {found} in the shop" for label, wanted, found in rows if found != wanted
    ]
    faults = [fault for fault in faults if not fault.endswith("None in the shop")]
    return [*faults, *_wrong_reservations(expected, skus), *_wrong_ledger()]


def _rows(expected: Books) -> list[tuple[str, Any, Any]]:
    """Label, value of the file, value of the shop; None if the shop has no such value."""
    from django.db.models import Count, F, Q, Sum
    from shop_catalog.models import Product
    from shop_orders.models import Charge, Order, OrderLine

    gone = Q(status="cancelled")
    shop = Order.objects.aggregate(
        orders=Count("pk"),
        guests=Count("pk", filter=Q(customer__user=None)),
        ordered=Sum("total", default=Decimal(0)),
        cancelled=Count("pk", filter=gone),
        taken_back=Sum("total", filter=gone, default=Decimal(0)),
    )
    taxes = {
        rate: (base, amount)
        for rate, base, amount in Charge.objects.filter(kind="tax")
        .values_list("tax_rate")
        .annotate(base=Sum("base"), sum=Sum("amount"))
        .order_by("-tax_rate")
    }
    lines_sum = OrderLine.objects.aggregate(net=Sum("net", default=Decimal(0)), tax=Sum("tax", default=Decimal(0)))
    tax_lines = Sum("charges__amount", filter=Q(charges__kind="tax"), default=Decimal(0))
    not_added_up = Order.objects.annotate(tax_lines=tax_lines).exclude(tax_lines=F("tax_total")).count()
    reserved = Product.objects.aggregate(units=Sum("reserved_quantity", default=0))["units"]
    fates = expected.counts
    guests = sum(not sale.customer for sale in expected.sales.values())
    lines = sum(len(sale.quantities) for sale in expected.sales.values())
    return [
        ("invoices", len(expected.fates), None),
        *((f"  {fate}", count, None) for fate, count in sorted(fates.items())),
        ("orders", len(expected.sales), shop["orders"]),
        ("  of guests", guests, shop["guests"]),
        ("  lines", lines, OrderLine.objects.count()),
        ("  total, GBP", expected.ordered, _pence(shop["ordered"])),
        *_tax_rows(expected, taxes),
        ("  net of all lines, GBP", sum(base for base, _tax in expected.taxes.values()), _pence(lines_sum["net"])),
        ("  tax of all lines, GBP", sum(tax for _base, tax in expected.taxes.values()), _pence(lines_sum["tax"])),
        ("  orders whose tax lines differ from their tax", 0, not_added_up),
        ("cancelled", len(expected.cancelled), shop["cancelled"]),
        ("  total, GBP", expected.taken_back, _pence(shop["taken_back"])),
        ("open, GBP", expected.ordered - expected.taken_back, _pence(shop["ordered"] - shop["taken_back"])),
        ("units held by open orders", expected.reserved.total(), reserved),
    ]


def _tax_rows(
    expected: Books, found: Mapping[Decimal, tuple[Decimal, Decimal]]
) -> Iterator[tuple[str, Decimal, Decimal]]:
    """The tax lines of each rate."""
    nothing = (Decimal(0), Decimal(0))
    for rate in sorted({*expected.taxes, *found}, reverse=True):
        wanted, stored = expected.taxes.get(rate, nothing), found.get(rate, nothing)
        yield f"  taxed at {100 * rate:.0f} %, GBP", wanted[0], _pence(stored[0])
        yield f"  tax at {100 * rate:.0f} %, GBP", wanted[1], _pence(stored[1])


def _pence(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01")) if amount == amount.quantize(Decimal("0.01")) else amount


def _wrong_reservations(expected: Books, skus: Mapping[Key, str]) -> list[str]:
    from shop_catalog.models import Product

    wanted = {skus[key]: units for key, units in expected.reserved.items()}
    found = dict(Product.objects.exclude(reserved_quantity=0).values_list("sku", "reserved_quantity"))
    return [
        f"{sku}: {wanted.get(sku, 0)} units held in the file, {found.get(sku, 0)} in the shop"
        for sku in sorted({*wanted, *found})
        if wanted.get(sku, 0) != found.get(sku, 0)
    ]


def _wrong_ledger() -> list[str]:
    """The differences that ``check_stock`` reports."""
    from django.core.management import CommandError, call_command

    try:
        call_command("check_stock")
    except (CommandError, SystemExit) as error:
        return [f"stock: {error}"]
    return []


def _platform() -> str:
    import django
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT version(), current_setting('fsync'), current_setting('synchronous_commit')")
        version, fsync, synchronous = cursor.fetchone()
    return (
        f"Python {platform.python_version()}, Django {django.__version__}, {version.split(' on ')[0]} "
        f"(fsync {fsync}, synchronous_commit {synchronous})."
    )
