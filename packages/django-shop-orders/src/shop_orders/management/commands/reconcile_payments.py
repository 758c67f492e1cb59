from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Count

from shop_orders import payments
from shop_orders.models import Payment, ProviderEvent, Refund


class Command(BaseCommand):
    help = (
        "Fetch the states of open payments and pending refunds from their providers, in case a webhook got lost. Run "
        "it every five minutes, or shop_orders_jobs; it is safe to run in parallel."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only count them; call no provider.")
        parser.add_argument(
            "--limit", type=int, default=200, help="The most rows of each kind, such as payments or refunds (200)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            self._count()
            return
        changed = payments.reconcile(limit=options["limit"])
        self.stdout.write(f"{changed} changed, {Payment.objects.filter(status__in=Payment.OPEN).count()} waiting")

    def _count(self) -> None:
        waiting = Payment.objects.filter(status__in=Payment.OPEN).values_list("provider", "status")
        for provider, status, count in waiting.annotate(Count("pk")).order_by("provider", "status"):
            self.stdout.write(f"{provider}: {count} {status}")
        refunds = Refund.objects.filter(status=Refund.Status.PENDING).values_list("payment__provider")
        for provider, count in refunds.annotate(Count("pk")).order_by("payment__provider"):
            self.stdout.write(f"{provider}: {count} refunds pending")
        kept = (ProviderEvent.Outcome.WAITING, ProviderEvent.Outcome.UNMATCHED)
        self.stdout.write(f"{ProviderEvent.objects.filter(outcome__in=kept).count()} provider events waiting")
