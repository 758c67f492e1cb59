"""The write gate: the lock that lets one transaction at a time write the category tree."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import models, router, transaction
from django.utils.translation import gettext_lazy as _


class CategoryTreeVersion(models.Model):
    """One row, whose value changes in the transaction of every change to the tree.

    The row is also the lock: each writer updates it first, and other writers wait for the commit. No value is used
    again, not even after a rollback, so a tree that is cached for a version is never wrong.
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
    """Open a transaction and lock the category tree for writing. Other writers wait; readers do not.

    Read the rows to be written *inside* the block: an instance that was read before has stale nested-set numbers, and
    saving it corrupts the tree. The lock is held until the outermost transaction ends. A nested call has no effect.
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
    """Give the tree a new version. The lock of the updated row makes the next writer wait for this transaction.

    An UPDATE and not a SELECT, so that SQLite takes its write lock here too, whatever its ``transaction_mode``.
    """
    rows = CategoryTreeVersion.objects.using(alias)
    while not rows.filter(pk=1).update(version=uuid.uuid4()):
        rows.bulk_create([CategoryTreeVersion(pk=1)], ignore_conflicts=True)
