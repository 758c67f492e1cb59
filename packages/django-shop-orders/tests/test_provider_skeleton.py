"""The skeleton of a payment provider, entry points, and what ``check`` says about them."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest
import shop_core
import shop_orders
from django.core.management import CommandError, call_command
from shop_orders.checks.providers import check_providers
from shop_orders.management.commands import start_payment_provider
from shop_orders.payment_providers import payment_provider, registry
from shop_orders.payment_providers.bank_transfer import BankTransfer

SOURCES = [str(Path(module.__file__).parents[1]) for module in (shop_orders, shop_core)]


@pytest.mark.parametrize("kind", ["page", "push", "offline"])
def test_tests_of_a_new_skeleton_pass(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    call_command("start_payment_provider", "acme_pay", kind=kind)
    plugin = tmp_path / "django-shop-payments-acme-pay"
    assert list(tmp_path.iterdir()) == [plugin]
    assert "${{ matrix.python }}" in (plugin / ".github/workflows/publish.yml").read_text()
    pyproject = (plugin / "pyproject.toml").read_text()
    assert 'name = "django-shop-payments-acme-pay"' in pyproject
    assert 'acme_pay = "shop_payments_acme_pay:AcmePayProvider"' in pyproject
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "PYTEST"))}
    environment["PYTHONPATH"] = os.pathsep.join([*SOURCES, environment.get("PYTHONPATH", "")])
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
    assert not [line for file in plugin.rglob("*.py") for line in file.read_text().splitlines() if "{{ " in line]


def test_command_writes_a_skeleton_before_the_settings_are_complete(tmp_path, settings):
    settings.SHOP_ORDERS = {}
    command = start_payment_provider.Command()
    command.run_from_argv(["manage.py", "start_payment_provider", "acme", "--kind=page", f"--folder={tmp_path}"])
    assert [path.name for path in tmp_path.iterdir()] == ["django-shop-payments-acme"]


def test_command_asks_for_the_kind(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", lambda _text: "push")
    call_command("start_payment_provider", "acme", folder=str(tmp_path))
    assert (
        "needs = Needs(phone=True"
        in (tmp_path / "django-shop-payments-acme/src/shop_payments_acme/__init__.py").read_text()
    )
    assert "a request on the customer's phone" in capsys.readouterr().out


@pytest.mark.parametrize("answer", ["other", EOFError])
def test_command_writes_nothing_without_a_kind(tmp_path, monkeypatch, answer):
    def asked(_text):
        if answer is EOFError:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", asked)
    with pytest.raises(CommandError, match="--kind"):
        call_command("start_payment_provider", "acme", folder=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["Acme", "acme pay", "../x", "1st", "_acme", "acme_", "a__b", "größe", "class", "stripe", "mpesa", "a" * 41],
)
def test_command_refuses_a_name(tmp_path, name):
    with pytest.raises(CommandError):
        call_command("start_payment_provider", name, kind="page", folder=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_command_overwrites_nothing(tmp_path):
    (tmp_path / "django-shop-payments-acme").mkdir()
    with pytest.raises(CommandError, match="already"):
        call_command("start_payment_provider", "acme", kind="page", folder=str(tmp_path))


@pytest.fixture
def points(monkeypatch):
    """Entry points of distributions that are not installed: ``points(("name", "distribution"), ...)``."""

    def install(*found):
        value = "shop_orders.payment_providers.bank_transfer:BankTransfer"
        made = []
        for name, distribution in found:
            point = EntryPoint(name, value, registry.GROUP)
            vars(point)["dist"] = SimpleNamespace(name=distribution)
            made.append(point)
        monkeypatch.setattr(registry, "entry_points", lambda group: made if group == registry.GROUP else [])
        registry.offered.cache_clear()

    yield install
    monkeypatch.undo()
    registry.offered.cache_clear()


def test_backend_is_the_name_of_an_entry_point(points, shop_settings):
    points(("acme", "django-shop-payments-acme"))
    shop_settings(
        PAYMENT_PROVIDERS={
            "ours": {"BACKEND": "bank_transfer", "OPTIONS": {"account": "1"}},
            "acme": {"BACKEND": "acme", "OPTIONS": {"account": "2"}},
        }
    )
    assert type(payment_provider("ours")) is type(payment_provider("acme")) is BankTransfer


def test_check_lists_the_names_for_an_unknown_one(points, shop_settings):
    points(("acme", "django-shop-payments-acme"))
    shop_settings(PAYMENT_PROVIDERS={"x": {"BACKEND": "acme_pay"}})
    messages = [message.msg for message in check_providers() if message.id == "shop_orders.E006"]
    assert len(messages) == 1
    assert "acme, bank_transfer, hosted_test, mpesa, on_delivery, stripe" in messages[0]


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (
            [("acme", "acme-payments"), ("acme", "other_payments")],
            "acme-payments (",
        ),
        ([("mpesa", "another-mpesa")], "django-shop-orders ("),
    ],
)
def test_two_distributions_with_one_name_are_an_error(points, shop_settings, found, named):
    points(*found)
    messages = [message.msg for message in check_providers() if message.id == "shop_orders.E028"]
    assert len(messages) == 1
    assert named in messages[0]
    assert found[-1][1].replace("_", "-") in messages[0]


def test_one_distribution_found_twice_is_no_error(points):
    points(("acme", "Acme_Payments"), ("acme", "acme-payments"))
    assert not [message for message in check_providers() if message.id == "shop_orders.E028"]
