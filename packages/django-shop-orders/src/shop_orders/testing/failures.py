"""The failures of the kits: each says what is wrong and what to do."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextvars import copy_context
from threading import Thread
from typing import Any, NoReturn

import pytest


def fail(problem: str, remedy: str) -> NoReturn:
    """Fail the check. ``problem`` names the method, ``remedy`` says what to do."""
    pytest.fail(f"{problem} {remedy}", pytrace=False)


def expect(is_right: object, problem: str, remedy: str) -> None:
    if not is_right:
        fail(problem, remedy)


def result_of(
    name: str,
    function: Callable[..., Any],
    *arguments: Any,
    allowed: tuple[type[Exception], ...] = (),
    **keywords: Any,
) -> Any:
    """What the author's code returns, or the exception that it raised, if that is ``allowed``."""
    try:
        return function(*arguments, **keywords)
    except allowed as error:
        return error
    except Exception as error:  # noqa: BLE001 - the code of an author may raise anything
        names = " or ".join(sorted(kind.__name__ for kind in allowed))
        remedy = f"Here it may raise {names}: handle other errors, or raise one of these in their place."
        fail(f"{name} raised {described(error)}.", remedy if names else "It must not raise here.")


def result_within(seconds: float, name: str, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """The same, but the check fails when the call takes longer."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(result_of(name, function, *arguments, **keywords))
        except pytest.fail.Exception as failure:
            found.append(failure)

    thread = Thread(target=copy_context().run, args=(run,), daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        fail(f"{name} did not return within {seconds} seconds.", "Set a time-out for every call to the service.")
    if isinstance(found[0], pytest.fail.Exception):
        raise found[0]
    return found[0]


def outcome_of(result: object) -> str:
    """What a call returned or raised, as the rest of a sentence that begins with its name."""
    return f"raised {type(result).__name__}" if isinstance(result, Exception) else f"returned {result!r}"


def described(error: Exception) -> str:
    """The exception, and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{error!r} ({frames[-1].filename}, line {frames[-1].lineno})"
