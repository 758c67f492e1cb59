"""The outbox for staff. Each operation checks a Django model permission."""

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Schema, Status
from pydantic import Field
from shop_core.api.problems import responses
from shop_core.api.types import In, SearchText, ShortText, Time
from shop_core.db.finding import MOST_FOUND

from shop_notify import health, messages, outbox
from shop_notify.api import auth
from shop_notify.api.routers import staff_router
from shop_notify.exceptions import NotFound
from shop_notify.models import Attempt, DeliveryReport, Notification
from shop_notify.storable import stored_id

VIEW = "shop_notify.view_notification"
RESEND = "shop_notify.resend_notification"

StateName = Literal["", "queued", "sending", "sent", "delivered", "read", "unknown", "failed", "dead", "skipped"]
PERSONAL = ("address", "recipient_key", "recipient_name", "last_error", "reference", "provider_id")
Limit = Annotated[int, Query(20, ge=1, le=100)]
SEARCHED = f"The complete address, reference or recipient key. Each finds the {MOST_FOUND:,} newest messages."


class NotificationOut(Schema):
    id: str
    event: str
    reference: str
    alias: str
    channel: str
    address: str
    state: str
    attempts: int
    last_error: str
    created_at: Time
    due_at: Time
    sent_at: Time | None
    delivered_at: Time | None
    segments: int | None
    cost: str | None
    currency: str


class NotificationPage(Schema):
    items: list[NotificationOut]
    next: str | None
    """Send it as ``after`` to get the next page."""


class AttemptOut(Schema):
    number: int
    started_at: Time
    finished_at: Time
    outcome: str
    provider_code: str
    detail: str
    response: dict[str, Any]


class ReportOut(Schema):
    received_at: Time
    status: str
    state: str
    detail: str


class NotificationDetail(NotificationOut):
    event_id: str
    audience: str
    recipient_key: str
    recipient_name: str
    language: str
    group: str
    provider_id: str
    expires_at: Time | None
    origin: str | None
    attempt_log: list[AttemptOut]
    reports: list[ReportOut]


class PreviewOut(Schema):
    event: str
    alias: str
    channel: str
    address: str
    recipient_name: str
    language: str
    subject: str
    text: str
    html: str
    problem: str
    """Why it could not be sent, empty if it could."""


class PreviewIn(In):
    signal: ShortText
    payload: Annotated[dict[str, Any], Field(max_length=100)]


class ResendIn(In):
    """Without ``address`` the message is sent to the same address."""

    address: Annotated[ShortText, Field(max_length=200)] = ""


class RetryIn(In):
    alias: ShortText = ""


class RetriedOut(Schema):
    retried: int


class NotifierOut(Schema):
    alias: str
    backend: str
    channel: str
    is_ready: bool
    problem: str
    problem_since: Time | None
    balance: str
    balance_low_since: Time | None
    waiting: int
    sending: int
    dead: int
    unknown: int
    oldest_due_at: Time | None
    sent_last_hour: int
    failed_last_hour: int


@staff_router.get(
    "/",
    response={200: NotificationPage, **responses(401, 403, 404)},
    auth=auth.staff,
    operation_id="staff_list_notifications",
    summary="The outbox, newest first",
)
def list_notifications(
    request: HttpRequest,
    limit: Limit,
    after: Annotated[ShortText, Query("")],
    state: Annotated[StateName, Query("")],
    alias: Annotated[ShortText, Query("")],
    event: Annotated[ShortText, Query("")],
    reference: Annotated[ShortText, Query("")],
    q: Annotated[SearchText, Query("", description=SEARCHED)],
) -> dict[str, Any]:
    auth.check_permission(request, VIEW)
    wanted = {"state": state, "alias": alias, "event": event, "reference": stored_id(reference)}
    rows = Notification.objects.filter(**{name: value for name, value in wanted.items() if value})
    if q:
        rows = rows.search(q)
    if after:
        rows = rows.older_than(_notification(after))
    found = list(rows.newest_first()[: limit + 1])
    return {
        "items": [_row(row) for row in found[:limit]],
        "next": str(found[limit - 1].public_id) if len(found) > limit else None,
    }


@staff_router.get(
    "/notifiers/",
    response={200: list[NotifierOut], **responses(401, 403)},
    auth=auth.staff,
    operation_id="staff_list_notifiers",
    summary="The notifiers and their health",
)
def list_notifiers(request: HttpRequest) -> list[dict[str, Any]]:
    auth.check_permission(request, VIEW)
    return [vars(notifier) for notifier in health.notifiers()]


@staff_router.post(
    "/preview/",
    response={200: list[PreviewOut], **responses(401, 403)},
    auth=auth.staff,
    operation_id="staff_preview_signal",
    summary="The messages that a signal would send",
)
def preview_signal(request: HttpRequest, payload: PreviewIn) -> list[dict[str, Any]]:
    auth.check_permission(request, VIEW)
    return [vars(shown) for shown in messages.preview_signal(payload.signal, payload.payload)]


@staff_router.post(
    "/retry/",
    response={200: RetriedOut, **responses(401, 403)},
    auth=auth.staff,
    operation_id="staff_retry_dead_notifications",
    summary="Retry up to 1,000 messages that were given up, of one notifier or all",
)
def retry_dead(request: HttpRequest, payload: RetryIn) -> dict[str, int]:
    auth.check_permission(request, RESEND)
    return {"retried": outbox.retry_dead(alias=payload.alias)}


@staff_router.get(
    "/{notification_id}/",
    response={200: NotificationDetail, **responses(401, 403, 404)},
    auth=auth.staff,
    operation_id="staff_get_notification",
    summary="One notification with its attempts and delivery reports",
)
def get_notification(request: HttpRequest, notification_id: str) -> dict[str, Any]:
    auth.check_permission(request, VIEW)
    return _detail(_notification(notification_id))


@staff_router.get(
    "/{notification_id}/preview/",
    response={200: PreviewOut, **responses(401, 403, 404)},
    auth=auth.staff,
    operation_id="staff_preview_notification",
    summary="The message as it was sent, or as it would be sent now",
)
def preview_notification(request: HttpRequest, notification_id: str) -> dict[str, Any]:
    auth.check_permission(request, VIEW)
    return vars(messages.preview_notification(_notification(notification_id)))


@staff_router.post(
    "/{notification_id}/resend/",
    response={201: NotificationDetail, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_resend_notification",
    summary="Send a message once more, to the same or another address",
)
def resend_notification(request: HttpRequest, notification_id: str, payload: ResendIn) -> Any:
    user = auth.check_permission(request, RESEND)
    resent = outbox.resend(_notification(notification_id), address=payload.address)
    return Status(201, _detail(_notification(str(resent.public_id)), may_view=user.has_perm(VIEW)))


@staff_router.post(
    "/{notification_id}/retry/",
    response={200: NotificationDetail, **responses(401, 403, 404, 409)},
    auth=auth.staff,
    operation_id="staff_retry_notification",
    summary="Retry a message that was given up or refused, or has an unknown outcome",
)
def retry_notification(request: HttpRequest, notification_id: str) -> dict[str, Any]:
    user = auth.check_permission(request, RESEND)
    outbox.retry(_notification(notification_id))
    return _detail(_notification(notification_id), may_view=user.has_perm(VIEW))


def _notification(public_id: str) -> Notification:
    try:
        return Notification.objects.get(public_id=UUID(public_id))
    except (ValueError, Notification.DoesNotExist):
        raise NotFound("There is no such notification.") from None


def _row(row: Notification) -> dict[str, Any]:
    same = (
        "event", "reference", "alias", "channel", "address", "state", "attempts", "last_error", "created_at", "due_at",
        "sent_at", "delivered_at", "segments",
    )  # fmt: skip
    return {
        "id": str(row.public_id),
        **{name: getattr(row, name) for name in same},
        "cost": str(row.cost) if row.cost is not None else None,
        "currency": row.cost_currency,
    }


def _detail(row: Notification, *, may_view: bool = True) -> dict[str, Any]:
    """The notification. A user who may not view it gets no ``PERSONAL`` fields, no attempts and no reports."""
    same = (
        "event_id", "audience", "recipient_key", "recipient_name", "language", "group", "provider_id", "expires_at",
    )  # fmt: skip
    attempts: list[Attempt] = list(row.attempt_log.all())
    reports: list[DeliveryReport] = list(row.reports.all())
    if not may_view:
        attempts, reports = [], []
    return {
        **_row(row),
        **{name: getattr(row, name) for name in same},
        **({} if may_view else dict.fromkeys(PERSONAL, "")),
        "origin": str(row.origin.public_id) if row.origin else None,
        "attempt_log": [{name: getattr(item, name) for name in AttemptOut.model_fields} for item in attempts],
        "reports": [{name: getattr(item, name) for name in ReportOut.model_fields} for item in reports],
    }
