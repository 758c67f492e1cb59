from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import shop_notify
from django.core.management import CommandError, call_command


def test_tests_of_a_new_skeleton_pass(tmp_path, monkeypatch):
    # Run from the project's folder, from which Python imports, as a user does.
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    call_command("start_notifier", "acme_chat")
    plugin = tmp_path / "django-shop-notify-acme-chat"
    assert list(tmp_path.iterdir()) == [plugin]
    assert (plugin / ".github/workflows/publish.yml").is_file()
    assert "${{ matrix.python }}" in (plugin / ".github/workflows/publish.yml").read_text()
    pyproject = (plugin / "pyproject.toml").read_text()
    assert 'name = "django-shop-notify-acme-chat"' in pyproject
    assert 'acme_chat = "shop_notify_acme_chat:AcmeChatNotifier"' in pyproject
    assert 'channel = "acme_chat"' in (plugin / "src/shop_notify_acme_chat/__init__.py").read_text()
    source = str(Path(shop_notify.__file__).parents[1])
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "PYTEST"))}
    environment["PYTHONPATH"] = os.pathsep.join([source, environment.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=plugin,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


@pytest.mark.parametrize("name", ["Acme", "acme chat", "../x", "1st"])
def test_skeleton_refuses_a_name_that_cannot_be_a_module(tmp_path, name):
    with pytest.raises(CommandError):
        call_command("start_notifier", name, folder=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_skeleton_overwrites_nothing(tmp_path):
    (tmp_path / "django-shop-notify-acme").mkdir()
    with pytest.raises(CommandError, match="already"):
        call_command("start_notifier", "acme", folder=str(tmp_path))
