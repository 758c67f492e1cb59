from __future__ import annotations

import pytest
from shop_notify.models import Notification
from testproject.library import signals

celery = pytest.importorskip("celery", reason="Celery is not installed")


@pytest.mark.django_db(transaction=True)
def test_celery_recipe_of_the_docs_delivers(settings, monkeypatch):
    import sys
    import types

    app = celery.Celery("site", broker="memory://")
    app.conf.task_always_eager = True
    recipe = types.ModuleType("recipe")

    @app.task(ignore_result=True)
    def deliver():
        from shop_notify.delivery import wake_up

        wake_up()

    recipe.wake = deliver.delay
    monkeypatch.setitem(sys.modules, "recipe", recipe)
    settings.SHOP_NOTIFY = {**settings.SHOP_NOTIFY, "QUEUE": "recipe.wake"}
    recipients = {"member": {"email": "m@example.org"}}
    signals.loan_made.send(
        sender=None, payload={"loan": {"number": "L"}, "book": {}, "recipients": recipients}, event_id="e"
    )
    assert Notification.objects.get().state == "sent"
