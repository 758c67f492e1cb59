"""The gate that every write to the category tree passes, one at a time."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import models, router, transaction
from django.utils.translation import gettext_lazy as _


class CategoryTreeVersion(models.Model):
    """One row, whose value changes in the transaction of every change to the tree.

    It is the lock as well: who writes the row first writes the tree first. A value is never used twice, not even
    after a rollback, so that what was cached under it stays right for ever.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    version = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:
        verbose_name = _("category tree version")
        verbose_name_plural = _("category tree versions")
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="shop_catalog_one_tree_version"),
        ]

    def __str__(self) -> str:
        return str(self.version)


_held = threading.local()


@contextmanager
def write_gate(*, using: str | None = None) -> Iterator[None]:
    """Let one writer at the category tree: a transaction that locks before anything is read.

    Read what you are going to write *inside* it: an instance from before the lock has stale numbers and corrupts the
    tree as surely as no lock. The lock is kept until the outermost transaction ends. Entering it again inside is free.
    """
    alias = using or router.db_for_write(CategoryTreeVersion)
    aliases: set[str] = _held.__dict__.setdefault("aliases", set())
    if alias in aliases:
        yield
        return
    with transaction.atomic(using=alias):
        aliases.add(alias)
        try:
            lock_tree(alias)
            yield
        finally:
            aliases.discard(alias)


def lock_tree(alias: str) -> None:
    """Give the tree a new version; the row's lock makes the next writer wait for the end of this transaction.

    An UPDATE and not a SELECT, so that SQLite takes its write lock here too, whatever its ``transaction_mode``.
    """
    rows = CategoryTreeVersion.objects.using(alias)
    while not rows.filter(pk=1).update(version=uuid.uuid4()):
        rows.bulk_create([CategoryTreeVersion(pk=1)], ignore_conflicts=True)
