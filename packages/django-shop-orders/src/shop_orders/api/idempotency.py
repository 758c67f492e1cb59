"""Operations that a client may safely repeat: with the header ``Idempotency-Key``, a request is carried out once.

def cancel_order(request, number: str, payload: CancelIn, idempotency_key: idempotency.Key) -> HttpResponse:
    order = own_order(request, number)
    call = idempotency.Call(request, idempotency_key, owner=order.customer.key, route=f"cancel_order {number}")
    return _cancel(call, order, payload)

@idempotency.once()
def _cancel(order: Order, payload: CancelIn) -> tuple[int, BaseModel]:
    return 200, representations.order(lifecycle.cancel(order.pk, reason=payload.reason))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Header
from pydantic import BaseModel
from shop_core.api.types import ShortText

from shop_orders import idempotency
from shop_orders.api import representations

Parameters = ParamSpec("Parameters")

Key = Annotated[
    ShortText,
    Header("", alias="Idempotency-Key", description="A request that is repeated with the same key takes effect once."),
]


@dataclass(frozen=True)
class Call:
    """One request of an operation. ``route`` names the operation and its object, ``owner`` the caller."""

    request: HttpRequest
    key: str
    owner: str
    route: str

    def keyed(self) -> idempotency.KeyedRequest:
        digest = idempotency.digest(str(self.request.method), self.request.path, self.request.body)
        return idempotency.KeyedRequest(owner=self.owner, route=self.route, key=self.key, digest=digest)


def once(
    *,
    in_transaction: bool = True,
    then: Callable[[Any], BaseModel] | None = None,
    store: Callable[[Any], Any] = lambda body: body,
    restore: Callable[[Any], Any] = lambda stored: stored,
) -> Callable[[Callable[Parameters, tuple[int, Any]]], Callable[Concatenate[Call, Parameters], HttpResponse]]:
    """Decorate work that is done once per key. It returns an HTTP status and a schema, or plain JSON values.

    The decorated function takes a ``Call`` first and returns the response. Calls with the same key get the same
    response; a call without a key always runs the work. Pass ``in_transaction=False`` for work that uses the network;
    it may run again after a crash. ``then`` builds the response from what the work returned, also when that was stored
    by an earlier call. ``store`` takes secrets out of the body before it is stored, and ``restore`` puts them back.
    """
    run = idempotency.run if in_transaction else idempotency.run_outside

    def decorate(
        work: Callable[Parameters, tuple[int, Any]],
    ) -> Callable[Concatenate[Call, Parameters], HttpResponse]:
        @wraps(work)
        def respond(call: Call, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> HttpResponse:
            if not call.key:
                status, body = work(*args, **kwargs)
                return representations.as_json(then(body) if then else body, status=status)

            def storable() -> tuple[int, Any]:
                status, body = work(*args, **kwargs)
                return status, store(_plain(body))

            stored = run(call.keyed(), storable)
            body = _plain(then(stored.body)) if then else restore(stored.body)
            response = JsonResponse(body, status=stored.status, safe=False)
            if stored.is_replay:
                response["Idempotency-Replayed"] = "true"
            return response

        return respond

    return decorate


def _plain(body: Any) -> Any:
    """The body as plain JSON values, which can be stored."""
    return body.model_dump(mode="json") if isinstance(body, BaseModel) else body
