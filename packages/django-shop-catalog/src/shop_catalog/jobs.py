"""Periodic jobs of the catalogue. ``manage.py shop_catalog_jobs``, called every minute, runs those that are due."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils import timezone
from shop_core.jobs import Job, Schedule

from shop_catalog import categories, facets, images, inventory, products, search, statistics
from shop_catalog.models import JobRun, ProductUpload, SentForm

logger = logging.getLogger(__name__)


def check_tree() -> None:
    """Log the number of faults in the category tree."""
    faults = categories.check()
    if faults:
        logger.error("The category tree has %d faults. Run `manage.py check_category_tree --fix`.", len(faults))


def check_stock() -> None:
    """Log products whose stock is not the sum of their movements."""
    differences = inventory.differences()
    if differences:
        logger.error(
            "The stock of %d products differs from the ledger. Run `manage.py check_stock`.", len(differences)
        )


def delete_old_uploads() -> int:
    """Delete files whose preview was not confirmed within a day."""
    return ProductUpload.objects.filter(created_at__lt=timezone.now() - timedelta(days=1)).delete()[0]


def delete_sent_forms() -> int:
    """Delete the tokens of forms that were submitted more than 90 days ago. No page stays open that long."""
    return SentForm.objects.filter(created_at__lt=timezone.now() - timedelta(days=90)).delete()[0]


JOBS: tuple[Job, ...] = (
    Job(
        name="fold_statistics",
        function=statistics.fold,
        every=timedelta(minutes=1),
        consequence="Reading the average prices and product counts of categories gets slower with every change.",
    ),
    Job(
        name="fold_facets",
        function=facets.fold,
        every=timedelta(minutes=1),
        consequence="Counting the products of categories gets slower with every change. New facets stay empty.",
    ),
    Job(
        name="fold_search_words",
        function=search.fold_all,
        every=timedelta(minutes=1),
        consequence="Searches get slower with every change of a product's texts.",
    ),
    Job(
        name="announce_stock",
        function=inventory.announce_pending,
        every=timedelta(minutes=1),
        consequence="A low-stock signal that was lost in a crash is never sent.",
    ),
    Job(
        name="apply_schedules",
        function=products.apply_schedules,
        every=timedelta(minutes=5),
        consequence="Groups keep an outdated price after a scheduled publication. Average prices take longer to read.",
    ),
    Job(
        name="make_renditions",
        function=images.make_renditions,
        every=timedelta(minutes=5),
        consequence="Images from a fixture are shown in full size, which is slow. New sizes are not used.",
    ),
    Job(
        name="fetch_images",
        function=images.fetch_images,
        every=timedelta(minutes=1),
        consequence="The images that an import names by address are never shown.",
    ),
    Job(
        name="delete_old_uploads",
        function=delete_old_uploads,
        every=timedelta(hours=6),
        consequence="Files of unconfirmed imports fill the database.",
    ),
    Job(
        name="delete_sent_forms",
        function=delete_sent_forms,
        every=timedelta(days=1),
        consequence="The table of submitted forms grows without limit.",
    ),
    Job(
        name="delete_unused_facets",
        function=facets.delete_unused,
        every=timedelta(days=1),
        consequence="Values that no product has any more keep new ones from being counted individually.",
    ),
    Job(
        name="check_tree",
        function=check_tree,
        every=timedelta(days=1),
        consequence="A damaged category tree is not noticed.",
    ),
    Job(
        name="check_stock",
        function=check_stock,
        every=timedelta(days=1),
        consequence="Stock that differs from its ledger is not noticed.",
    ),
)

SCHEDULE = Schedule("shop_catalog", JOBS, runs=JobRun)

run_due = SCHEDULE.run_due
overdue = SCHEDULE.overdue
