"""The site's Celery, which runs tasks at once."""

from celery import Celery
from shop_notify.delivery import wake_up

app = Celery("site", broker="memory://")
app.conf.task_always_eager = True


@app.task(ignore_result=True)
def deliver() -> None:
    wake_up()


def wake() -> None:
    deliver.delay()
