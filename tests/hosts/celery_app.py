"""The site's Celery, which runs tasks at once."""

from celery import Celery, Task
from shop_notify.delivery import wake_up

app = Celery("site", broker="memory://")
app.conf.task_always_eager = True
RAN: list[str] = []
"""The names of the tasks that ran."""


@app.task(ignore_result=True, bind=True)
def deliver(task: Task) -> None:
    RAN.append(task.name)
    wake_up()


def wake() -> None:
    deliver.delay()
