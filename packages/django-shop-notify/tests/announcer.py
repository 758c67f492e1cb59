"""Write messages and wake the queue, like a web process; then wake it each second, like a schedule.

``announcer.py COUNT [PAUSE]``: it prints how many milliseconds each took as JSON, and ends when it is terminated.
"""

import json
import os
import sys
import time

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "testproject.settings")
    django.setup()

    from shop_notify import outbox, queues
    from shop_notify.models import Notification

    pause = float(sys.argv[2]) if len(sys.argv) > 2 else 0.02
    timings = []
    for number in range(int(sys.argv[1])):
        began = time.monotonic()
        outbox.put(
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
        timings.append((time.monotonic() - began) * 1000)
        time.sleep(pause)
    print(json.dumps(timings), flush=True)
    while True:
        time.sleep(1)
        queues.wake()
