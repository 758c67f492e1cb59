"""The lock of the category tree: one write at a time."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import models, router, transaction
from django.utils.translation import gettext_lazy as _


class CategoryTreeVersion(models.Model):
    """One row, whose value changes in the transaction of every change to the tree.

    It is the lock as well: a writer updates it first, and others wait. A value is never used twice, not even after a
    rollback, so a tree that was cached under it is always right.
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
    """A transaction that locks the category tree before anything is read.

    Read the rows to be written *inside* it: an instance that was read before has stale numbers, and saving it corrupts
    the tree. The lock is held until the outermost transaction ends. A nested gate costs nothing.
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
