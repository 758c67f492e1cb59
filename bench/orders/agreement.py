"""Checks before a measurement: the peers return the same for the same flow."""

from __future__ import annotations

import sys
from typing import Any

from bench.orders.flows import flow_of_ours, post
from bench.servers import Server


def check_equal(limit: Server, ours: Server) -> None:
    """Check that ours and the limit return the same JSON for the same flow, except for generated values.

    Raises:
        AssertionError: they do not.
    """
    expected, found = _responses(limit), _responses(ours)
    if expected != found:
        raise AssertionError(f"e1: {expected}\nours: {found}")
    print("Equal responses: add, checkout.", file=sys.stderr, flush=True)


def check_alike(ours: Server, reference: Server) -> None:
    """Check that the responses of the reference shop are part of ours.

    Raises:
        AssertionError: they are not.
    """
    whole, part = _responses(ours), _responses(reference)
    if part != _shared(whole, part):
        raise AssertionError(f"ours: {whole}\n{reference.peer.name}: {part}")


def _responses(server: Server) -> list[Any]:
    """The responses to one flow, without generated values and without the stock, which earlier flows change."""
    skus = [f"SKU-{number:07}" for number in (11, 22, 11)]
    responses = [post(server, "customer998@example.org", path, body) for path, body in flow_of_ours(skus)]
    for made_up in ("number", "placed_at"):
        assert responses[-1].pop(made_up)
    for cart in responses[:-1]:
        for line in cart["lines"]:
            assert line.pop("available")
    return responses


def _shared(whole: Any, part: Any) -> Any:
    """The part of ``whole`` that has the shape of ``part``."""
    if isinstance(part, dict):
        return {key: _shared(whole[key], value) for key, value in part.items()}
    if isinstance(part, list):
        return [_shared(one, other) for one, other in zip(whole, part, strict=True)]
    return whole
