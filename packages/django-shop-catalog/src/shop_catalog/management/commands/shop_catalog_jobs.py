"""``manage.py shop_catalog_jobs [--list | --all]``, for cron."""

from __future__ import annotations

from shop_core.jobs import JobsCommand

from shop_catalog.jobs import SCHEDULE


class Command(JobsCommand):
    help = "Run the periodic jobs of shop_catalog that are due. Call it every minute."
    schedule = SCHEDULE
