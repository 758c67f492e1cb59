from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import shop_notify
from django.core.management import CommandError, call_command
from shop_notify.management.commands import start_notifier
from shop_notify.management.commands.start_notifier import KINDS

KINDS_AND_ATTRIBUTES = {
    "sms": {"SmsNotifier": True, "is_metered": None, "repeats_unknown": None},
    "chat": {"SmsNotifier": False, "is_metered": False, "repeats_unknown": True},
    "push": {"SmsNotifier": False, "is_metered": False, "repeats_unknown": True},
    "other": {"SmsNotifier": False, "is_metered": False, "repeats_unknown": True},
}
"""What each kind sets itself; None: the base does."""


TEST_OF_A_FALLBACK = """
from django.core import mail
from shop_notify.notifiers import EmailNotifier, Message

def test_an_email_can_be_sent():
    message = Message(id="1", event="done", to="ann@example.org", subject="Done", text="Done.")
    EmailNotifier(alias="email", from_email="shop@example.org").send(message)
    assert len(mail.outbox) == 1
"""
"""What an author writes who tests a route whose fallback is an e-mail. In a skeleton each warning is an error."""


def start(*arguments, **options):
    call_command("start_notifier", *arguments, **options)


def test_tests_of_a_new_skeleton_of_each_kind_pass(tmp_path, monkeypatch):
    # Run from the project's folder, from which Python imports, as a user does.
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert set(KINDS) == set(KINDS_AND_ATTRIBUTES)
    for kind in KINDS:
        start(f"acme_{kind}", kind=kind)
        (tmp_path / f"django-shop-notify-acme-{kind}" / "tests/test_email.py").write_text(TEST_OF_A_FALLBACK)
    source = str(Path(shop_notify.__file__).parents[1])
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "PYTEST"))}
    environment["PYTHONPATH"] = os.pathsep.join([source, environment.get("PYTHONPATH", "")])
    running = {
        kind: subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
            cwd=tmp_path / f"django-shop-notify-acme-{kind}",
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for kind in KINDS
    }
    for process in running.values():
        output, _none = process.communicate(timeout=300)
        assert process.returncode == 0, output
        assert "passed" in output
        assert "skipped" not in output


def test_command_writes_a_skeleton_before_the_settings_are_complete(tmp_path, settings):
    settings.SHOP_NOTIFY = {"NOTIFIERS": {"sms": {"BACKEND": "missing.Notifier"}}}
    command = start_notifier.Command()
    command.run_from_argv(["manage.py", "start_notifier", "acme", "--kind=sms", f"--folder={tmp_path}"])
    assert [path.name for path in tmp_path.iterdir()] == ["django-shop-notify-acme"]


@pytest.mark.parametrize("kind", KINDS)
def test_skeleton_is_named_after_the_provider_and_says_what_its_kind_means(tmp_path, kind):
    start("acme_chat", kind=kind, folder=str(tmp_path))
    (plugin,) = tmp_path.iterdir()
    assert plugin.name == "django-shop-notify-acme-chat"
    assert "${{ matrix.python }}" in (plugin / ".github/workflows/publish.yml").read_text()
    pyproject = (plugin / "pyproject.toml").read_text()
    assert 'name = "django-shop-notify-acme-chat"' in pyproject
    assert 'acme_chat = "shop_notify_acme_chat:AcmeChatNotifier"' in pyproject
    assert ("django-shop-notify[sms]" in pyproject) == (kind == "sms")
    code = (plugin / "src/shop_notify_acme_chat/__init__.py").read_text()
    (written,) = [node for node in ast.parse(code).body if isinstance(node, ast.ClassDef)]
    assert written.name == "AcmeChatNotifier"
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in written.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    wanted = KINDS_AND_ATTRIBUTES[kind]
    assert ([base.id for base in written.bases] == ["SmsNotifier"]) == wanted["SmsNotifier"]
    assert {name: values.get(name) for name in ("is_metered", "repeats_unknown")} == {
        name: wanted[name] for name in ("is_metered", "repeats_unknown")
    }
    assert values.get("channel") == (None if kind == "sms" else "acme_chat")
    assert "{%" not in code + pyproject + (plugin / "README.md").read_text()


def test_kind_is_asked_for(tmp_path, monkeypatch, capsys):
    answers = iter(["fax", " SMS "])
    monkeypatch.setattr(start_notifier.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _question: next(answers))
    start("acme", folder=str(tmp_path))
    assert "not sent again if the outcome is unknown" in capsys.readouterr().out
    assert "SmsNotifier" in (tmp_path / "django-shop-notify-acme/src/shop_notify_acme/__init__.py").read_text()


def test_kind_is_required_where_nobody_can_be_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(start_notifier.sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(CommandError, match="--kind"):
        start("acme", folder=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *(
            (name, "lower-case letters")
            for name in ("Acme", "acme chat", "../x", "1st", "acme-chat", "", "é", "acme\n")
        ),
        *((name, "lower-case letters") for name in ("_acme", "acme_", "acme__chat", "acme.chat")),
        *((name, "of Python") for name in ("class", "match", "import", "json", "email", "string")),
        *(
            (name, "already the name of a notifier")
            for name in ("whatsapp", "webhook", "console", "memory", "africastalking", "sms")
        ),
        *(
            (name, "already the name of a notifier") for name in ("telegram", "whatsapp_cloud")
        ),  # ours, installed or not
        *((name, "key of recipients") for name in ("key", "name", "language")),
        ("shop_notify_acme", "provider's name only"),
        ("a" * 31, "at most 30"),
    ],
)
def test_skeleton_refuses_a_name_that_cannot_be_used(tmp_path, name, reason):
    with pytest.raises(CommandError, match=reason):
        start(name, kind="chat", folder=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_skeleton_overwrites_nothing(tmp_path):
    (tmp_path / "django-shop-notify-acme").mkdir()
    with pytest.raises(CommandError, match="already"):
        start("acme", kind="chat", folder=str(tmp_path))
