"""Runs a contract kit on a class with one fault, and returns the messages of its failures."""

import inspect
import logging

import pytest
from django.db import transaction


class Log(logging.Handler):
    """What pytest's caplog does, as far as the kits use it."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)

    def set_level(self, level):
        logging.getLogger().setLevel(level)


def failures(kit, fixtures, *, rolls_back=False):
    """``{check: message}`` of a kit's checks that fail. ``fixtures`` makes new ones for each check.

    An exception of any other kind is an error of the kit: the author would get no explanation.
    """
    found = {}
    for name, check in inspect.getmembers(kit, inspect.ismethod):
        if not name.startswith("test_"):
            continue
        log, level = Log(), logging.getLogger().level
        logging.getLogger().addHandler(log)
        values = {**fixtures(), "caplog": log}
        try:
            for arguments in _arguments(check, values):
                if rolls_back:
                    with transaction.atomic():
                        check(**arguments)
                        transaction.set_rollback(True)
                else:
                    check(**arguments)
        except pytest.skip.Exception:
            continue
        except pytest.fail.Exception as failure:
            found[name] = str(failure)
        finally:
            logging.getLogger().removeHandler(log)
            logging.getLogger().setLevel(level)
    return found


def _arguments(check, values):
    """The arguments of a check, once for each of its parameters."""
    wanted = {name: values[name] for name in inspect.signature(check).parameters if name in values}
    marks = [mark for mark in getattr(check, "pytestmark", []) if mark.name == "parametrize"]
    if not marks:
        return [wanted]
    return [{**wanted, marks[0].args[0]: value} for value in marks[0].args[1]]


def assert_says_what_to_do(message, *, names):
    """A problem that names the method, and a remedy: two sentences at least, and no bare assertion."""
    assert "AssertionError" not in message
    assert names in message
    assert message.count(". ") + message.count(": ") >= 1
    assert message.endswith(".")
