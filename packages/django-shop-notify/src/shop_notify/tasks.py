"""The wake-up as a task of ``django.tasks``. Imported only where Django has it (6.0 and later)."""

from __future__ import annotations

from django.tasks import task

from shop_notify.delivery import wake_up


@task
def deliver() -> None:
    """Deliver what is due."""
    wake_up()
