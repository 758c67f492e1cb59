"""The flow that every peer is sent: three items into the cart, then the checkout."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.orders.peers import OSCAR
from bench.peers.oscar import flow as oscar_flow
from bench.peers.replay import ADDRESS
from bench.servers import Server

ADDS = 3
Flow = list[tuple[str, Any]]
"""Paths and bodies. A body may be a function of the last response."""


def flow_of_ours(skus: Sequence[str]) -> Flow:
    adds = [("/orders/cart/add_item/", {"product": sku, "quantity": 1}) for sku in skus]
    return [*adds, ("/orders/orders/", {"shipping_address": ADDRESS})]


FLOWS: Mapping[str, Callable[[Sequence[str]], Flow]] = {OSCAR: oscar_flow.flow}
"""The flows of peers with other URLs than ours."""


def post(server: Server, customer: str, path: str, body: Any) -> Any:
    request = urllib.request.Request(server.address + path, json.dumps(body).encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer {customer}")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{server.peer.name} {path}: {error.code} {error.read()[:500]!r}") from error
