"""Writes messages and wakes the queue, as a web process does; then wakes it each second, as a schedule does.

``announcer.py COUNT``: it ends when it is told to.
"""

import os
import sys
import time

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "testproject.settings")
    django.setup()

    from shop_notify import queues, routes
    from shop_notify.models import Notification

    for number in range(int(sys.argv[1])):
        routes.write(
            [
                Notification(
                    event_id=f"q2-{number}",
                    event="newsletter",
                    alias=("one", "two")[number % 2],
                    channel="memory",
                    address=f"{number}@example.org",
                    context={"headline": "x"},
                )
            ]
        )
        time.sleep(0.02)
    while True:
        time.sleep(1)
        queues.wake()
