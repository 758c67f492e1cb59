"""Preferences: which messages a customer gets."""

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Schema
from pydantic import Field, StrictBool
from shop_core.api.problems import responses
from shop_core.api.types import In, ShortText

from shop_notify.api import auth
from shop_notify.api.routers import router
from shop_notify.recipients import preference_choices, write_preferences


class NotifierChoiceOut(Schema):
    alias: str
    label: str
    is_enabled: bool
    is_fixed: bool
    """Messages of this group are always sent by this notifier."""


class GroupOut(Schema):
    group: str
    label: str
    is_transactional: bool
    notifiers: list[NotifierChoiceOut]


class PreferencesOut(Schema):
    groups: list[GroupOut]


class PreferencesIn(In):
    """Only what changes: ``{"groups": {"order_updates": {"sms": false}}}``."""

    groups: Annotated[
        dict[ShortText, Annotated[dict[ShortText, StrictBool], Field(max_length=50)]], Field(max_length=50)
    ]


@router.get(
    "/preferences/",
    response={200: PreferencesOut, **responses(401)},
    auth=auth.required,
    operation_id="get_notification_preferences",
    summary="Get your preferences by group and notifier",
)
def get_preferences(request: HttpRequest) -> dict[str, Any]:
    return {"groups": preference_choices(auth.recipient(request))}


@router.patch(
    "/preferences/",
    response={200: PreferencesOut, **responses(401, 403)},
    auth=auth.required,
    operation_id="update_notification_preferences",
    summary="Change your preferences",
)
def update_preferences(request: HttpRequest, payload: PreferencesIn) -> dict[str, Any]:
    key = auth.recipient(request)
    write_preferences(key, payload.groups)
    return {"groups": preference_choices(key)}
