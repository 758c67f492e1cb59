"""The accounts router: ``api.add_router("/auth/customers/", "shop_orders.contrib.allauth.api.router")``."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth import logout as end_session
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router, Status
from shop_core.addresses import comparable
from shop_core.api.problems import responses
from shop_core.api.views import keep_private
from shop_core.db.transactions import connection_of

from shop_orders import customers
from shop_orders.api import auth
from shop_orders.api.problems import PROBLEMS
from shop_orders.contrib.allauth import headless, tokens
from shop_orders.contrib.allauth.schemas import (
    LoginIn,
    LoginOut,
    ProfileIn,
    ProfileOut,
    RefreshIn,
    RegisterIn,
    RegisterOut,
    TokensOut,
)
from shop_orders.models import Customer

MEANINGS: Mapping[str, str] = {
    "invalid_credentials": "No account has this e-mail address and password.",
    "email_not_verified": "The e-mail address must be verified first; `next` says how.",
    "mfa_authenticate": "The account asks for a second factor; `next` says where to send its code.",
    "login_step_pending": "The account asks for one more step before the log-in is complete; `next` names it.",
    "too_many_attempts": "Too many attempts. Wait for the seconds in the header Retry-After.",
    "invalid_refresh_token": "The refresh token is expired, was used before, or its session has ended. Log in again.",
    "insufficient_scope": "The access token of the app lacks the scope that `scope` names.",
    "signup_closed": "The shop does not take new accounts.",
}
"""Codes of this router's problem documents, with the sentence that explains each."""

router = Router(tags=["accounts"])
PROBLEMS.install(router, codes=MEANINGS)
router.add_decorator(keep_private, mode="view")

LOCK_OUT_SECONDS = 300
"""allauth's default: five bad passwords lock an address for five minutes (ACCOUNT_RATE_LIMITS, ``login_failed``)."""

NEXT_STEPS: Mapping[str, tuple[str, str, list[str]]] = {
    "verify_email": ("email_not_verified", "account:verify_email", ["key"]),
    "mfa_authenticate": ("mfa_authenticate", "mfa:authenticate", ["code"]),
}
"""For each pending flow of allauth: our code, the operation that completes it, and the fields that the operation
needs."""


@router.post(
    "/register/",
    auth=None,
    response={201: RegisterOut, **responses(403)},
    operation_id="register",
    summary="Register",
)
def register(request: HttpRequest, payload: RegisterIn) -> Any:
    """Make an account and mail a code to its address.

    If addresses must be verified, the response is the same whether or not the address has an account: an e-mail tells
    the owner of the address. Otherwise the account is ready at once, and an address that has an account is refused.
    """
    result = headless.call(request, "account:signup", payload.model_dump())
    if result.status == 200:
        detail = _("The account is ready.")
        return Status(201, {"status": "active", "detail": detail, "login": _login_body(result)})
    step = _next_step(request, result)
    if step is None or step["flow"] != "verify_email":
        return _refusal(request, result)
    detail = _("We sent a code to your e-mail address. Send it to the URL in “next” as “key”.")
    return Status(201, {"status": "verification_required", "detail": detail, "next": step})


@router.post("/login/", auth=None, response={200: LoginOut, **responses(401)}, operation_id="login", summary="Log in")
def login(request: HttpRequest, payload: LoginIn) -> dict[str, Any] | HttpResponse:
    """Exchange e-mail address and password for tokens.

    401 with the code ``email_not_verified`` or ``mfa_authenticate`` means that one step is missing: ``next`` in the
    problem document says which.
    """
    credentials = {"email": comparable(payload.email), "password": payload.password}
    result = headless.call(request, "account:login", credentials)
    return _login_body(result) if result.status == 200 else _refusal(request, result)


@router.post(
    "/refresh/",
    auth=None,
    response={200: TokensOut, **responses(401)},
    operation_id="refresh_tokens",
    summary="Get new tokens",
)
def refresh(request: HttpRequest, payload: RefreshIn) -> dict[str, Any] | HttpResponse:
    """Exchange a refresh token for a new pair. Each refresh token can be used once."""
    result = headless.call(request, "tokens:refresh", payload.model_dump())
    if result.status != 200:
        return PROBLEMS.response(
            401, _("The refresh token is not valid, or was used before. Log in again."), code="invalid_refresh_token"
        )
    return {"refresh_token": payload.refresh_token, **result.data, **tokens.describe()}


@router.post(
    "/logout/",
    auth=auth.required,
    response={204: None, **responses(401, 403)},
    operation_id="logout",
    summary="Log out",
)
def logout(request: HttpRequest) -> Any:
    """End the session. Its access and refresh tokens are revoked at once.

    With a token of an app, only the tokens of that app are revoked.
    """
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        end_session(request)
    elif "." in token:
        headless.call(request, "account:current_session", method="DELETE", token=token)
    else:
        from shop_orders.contrib.allauth.scoped import revoke_token

        revoke_token(token)
    return Status(204, None)


@router.get(
    "/profile/",
    auth=auth.required,
    response={200: ProfileOut, **responses(401, 403)},
    operation_id="get_profile",
    summary="My profile",
)
def profile(request: HttpRequest) -> dict[str, Any]:
    return _profile(auth.customer(request))


@router.patch(
    "/update_profile/",
    auth=auth.required,
    response={200: ProfileOut, **responses(401, 403)},
    operation_id="update_profile",
    summary="Change my profile",
)
def update_profile(request: HttpRequest, payload: ProfileIn) -> dict[str, Any]:
    """Change names, phone, language or addresses. The e-mail address is changed where it can be verified."""
    customer = auth.customer(request)
    changes = payload.model_dump(exclude_none=True)
    addresses = changes.pop("addresses", None)
    with transaction.atomic(using=connection_of(Customer).alias):
        if changes:
            customers.update(customer, **changes)
        if addresses is not None:
            customers.set_addresses(customer, addresses)
    return _profile(customer)


def _login_body(result: headless.Result) -> dict[str, Any]:
    key = get_user_model()._meta.pk.to_python(result.data["user"]["id"])
    user = get_user_model()._default_manager.get(pk=key)
    names = ("access_token", "refresh_token", "token_type", "expires_in", "scope")
    return {**{name: result.meta[name] for name in names}, "customer": _customer(customers.for_user(user))}


def _customer(customer: Customer) -> dict[str, Any]:
    return {
        "id": customer.public_id,
        "email": customer.email,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
    }


def _profile(customer: Customer) -> dict[str, Any]:
    return {
        **_customer(customer),
        "phone": customer.phone,
        "language": customer.language,
        "addresses": list(customer.addresses.all()),
    }


def _refusal(request: HttpRequest, result: headless.Result) -> HttpResponse:
    """A refusal of allauth as a problem document."""
    if result.status == 429 or "too_many_login_attempts" in result.error_codes:
        seconds = (result.retry_after or 60) if result.status == 429 else LOCK_OUT_SECONDS
        return PROBLEMS.response(
            429,
            _("Too many attempts. Wait before you try again."),
            code="too_many_attempts",
            retry_after=seconds,
        )
    if result.status == 403:
        return PROBLEMS.response(403, _("The shop does not take new accounts."), code="signup_closed")
    step = _next_step(request, result)
    if step is not None:
        return _missing_step(step)
    is_inactive = not result.errors
    if is_inactive or any(code.endswith("_password_mismatch") for code in result.error_codes):
        return PROBLEMS.response(
            400, _("The e-mail address or the password is not right."), code="invalid_credentials"
        )
    errors = [
        {"field": error.get("param", ""), "code": error.get("code", "invalid"), "message": error.get("message", "")}
        for error in result.errors
    ]
    return PROBLEMS.response(422, _("Some fields are not valid."), errors=errors)


def _missing_step(step: Mapping[str, Any]) -> HttpResponse:
    code = NEXT_STEPS[step["flow"]][0] if step["flow"] in NEXT_STEPS else "login_step_pending"
    match code:
        case "email_not_verified":
            detail = _("The e-mail address is not verified. We sent a code to it; send that to the URL in “next”.")
        case "mfa_authenticate":
            detail = _("Send a code of your second factor to the URL in “next”.")
        case _other:
            detail = _("One more step is needed before you are logged in.")
    return PROBLEMS.response(401, detail, code=code, extra={"next": step})


def _next_step(request: HttpRequest, result: headless.Result) -> dict[str, Any] | None:
    pending = result.pending_flow
    flow = str(pending.get("id", ""))
    if not flow:
        return None
    _code, operation, fields = NEXT_STEPS.get(flow, ("", "account:current_session", []))
    types = [str(kind) for kind in pending.get("types", ())]
    if types == ["webauthn"]:
        operation, fields = "mfa:authenticate_webauthn", ["credential"]
    return {
        "flow": flow,
        "method": "POST",
        "url": request.build_absolute_uri(headless.url(operation)),
        "session_token": result.meta.get("session_token", ""),
        "fields": fields,
        "types": types,
    }
