"""Draw every message as a recipient sees it: ``python pictures.py [--folder var/messages] [--browser chromium]``.

Each event of the preset is sent in each language to a mail server on loopback. Headless Chromium draws the received
e-mails on sheets, for a phone and a desktop, light and dark; SMS are listed with their segments.
"""

from __future__ import annotations

import argparse
import html
import os
import shutil
import subprocess
from pathlib import Path

import django

WIDTHS = {"phone": 390, "desktop": 800}
COLUMNS = {"phone": 5, "desktop": 3}
HEIGHT = 760
LANGUAGES = ("en", "sw")
CUSTOMER = {"key": "customer:1", "name": "Test Customer", "email": "customer@example.org", "phone": "+254711000001"}


def collect():
    """``{language: [(event, audience, subject, text, html)]}`` of the mails that the server received, and the SMS."""
    from aiosmtpd.controller import Controller
    from conftest import Mailbox
    from django.conf import settings
    from shop_notify import delivery, outbox, routes
    from shop_notify.messages import SAMPLE_ORDER
    from shop_notify.models import Notification
    from shop_notify.presets import SHOP_ROUTES
    from test_outages import free_port

    mailbox, port = Mailbox(), free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    options = {"host": "127.0.0.1", "port": port, "timeout": 5}
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
    else:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    customers = [{**route, "via": ["email"]} for route in SHOP_ROUTES]
    settings.SHOP_NOTIFY = {
        **settings.SHOP_NOTIFY,
        "NOTIFIERS": {"email": {"BACKEND": "email"}, "sms": {"BACKEND": "testproject.ledger.PhoneNotifier"}},
        "CONTEXT": {"shop_name": "Duka"},
        "ADMINS": ["shop@example.org"],
    }
    mails = {}
    for language in LANGUAGES:
        settings.LANGUAGE_CODE = language
        for entry in customers:
            settings.SHOP_NOTIFY["ROUTES"] = [entry]
            recipients = {"customer": {**CUSTOMER, "language": language}}
            payload = {**SAMPLE_ORDER, **entry.get("when", {}), "at_placement": False, "recipients": recipients}
            outbox.put(routes.plan(entry["signal"], payload=payload, event_id=f"{language}-{entry}"))
            delivery.deliver_due()
            row = Notification.objects.order_by("-id").first()
            mail = mailbox.messages[-1]
            text, page = (mail.get_body([kind]) for kind in ("plain", "html"))
            content = page.get_content() if page else ""
            label = f"{row.event} ({row.audience})"
            mails.setdefault(language, []).append((label, mail["Subject"], text.get_content(), content))
    controller.stop()
    return mails, texts()


def texts():
    """Every SMS of the preset: ``[(language, event, text, segments)]``."""
    from shop_notify import messages
    from shop_notify.messages import SAMPLE_ORDER
    from shop_notify.models import Notification
    from shop_notify.presets import SHOP_ROUTES
    from shop_notify.segments import count_segments

    found = []
    for language in LANGUAGES:
        for entry in SHOP_ROUTES:
            if "sms" in entry["via"]:
                row = Notification(event=entry["event"], channel="sms", language=language, context=SAMPLE_ORDER)
                text = messages.render(row).text
                found.append((language, entry["event"], text, count_segments(text)))
    return found


def sheet(mails, width, columns, *, scheme, plain):
    """One page with every message in a frame of that width."""
    cells = []
    for label, subject, text, page in mails:
        body = f"<pre style='white-space:pre-wrap;font:14px monospace'>{html.escape(text)}</pre>" if plain else page
        frame = html.escape(body or "<p>no HTML</p>", quote=True)
        cells.append(
            f"<figure style='margin:8px'><figcaption>{html.escape(label)}<br><b>{html.escape(subject)}</b>"
            f"</figcaption><iframe srcdoc='{frame}' width={width} height={HEIGHT}></iframe></figure>"
        )
    grid = f"display:grid;grid-template-columns:repeat({columns},{width + 24}px)"
    return (
        f"<!doctype html><meta charset=utf-8><meta name=color-scheme content={scheme}>"
        f"<body style='font:13px sans-serif;margin:0;{grid}'>{''.join(cells)}"
    )


def take_screenshot(browser, page, picture, size, scheme):
    command = [
        browser,
        "--headless=new",
        "--no-sandbox",
        "--hide-scrollbars",
        "--disable-gpu",
        f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
        f"--window-size={size[0]},{size[1]}",
        f"--screenshot={picture}",
        page.as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "var" / "messages")
    parser.add_argument("--browser", default=shutil.which("chromium") or "chromium")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "testproject.settings")
    django.setup()
    from django.db import connection

    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        mails, messages = collect()
    finally:
        connection.creation.destroy_test_db("", verbosity=0)
    options.folder.mkdir(parents=True, exist_ok=True)
    for language, event, text, size in messages:
        print(f"{language} {event} {size.encoding} {size.units} {size.parts}: {text}")
    for language, found in mails.items():
        for name, width in WIDTHS.items():
            for kind in ("light", "dark", "text"):
                scheme = "dark" if kind == "dark" else "light"
                columns = COLUMNS[name]
                page = (options.folder / f"{language}-{name}-{kind}.html").resolve()
                page.write_text(sheet(found, width, columns, scheme=scheme, plain=kind == "text"), encoding="utf-8")
                rows = -(-len(found) // columns)
                size = (columns * (width + 24), rows * (HEIGHT + 60))
                take_screenshot(options.browser, page, page.with_suffix(".png"), size, scheme)
                print(page.with_suffix(".png"))


if __name__ == "__main__":
    main()
