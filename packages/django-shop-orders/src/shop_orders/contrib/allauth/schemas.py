"""The request and response bodies of the accounts router."""

from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import AfterValidator, Field, StringConstraints
from shop_core.api.types import In, ShortText

from shop_orders.customers import MAX_ADDRESSES

Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
Password = Annotated[str, StringConstraints(min_length=1, max_length=1000, strip_whitespace=False)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=150)]
Phone = Annotated[str, StringConstraints(max_length=40)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class RegisterIn(In):
    email: Email
    password: Password
    first_name: Name
    last_name: Name
    phone: Phone = ""


class LoginIn(In):
    email: Email
    password: Password


class RefreshIn(In):
    refresh_token: Token


class NextStep(Schema):
    """The request that continues the flow: ``session_token`` goes into the header ``X-Session-Token``.

    ``types`` names the second factors that the account has: ``totp``, ``recovery_codes``, ``webauthn``. For the last a
    GET of the URL ending in ``/webauthn/authenticate`` gives the options for the key.
    """

    flow: str
    method: Literal["POST"] = "POST"
    url: str
    session_token: str
    fields: list[str]
    types: list[str] = []


class AddressOut(Schema):
    label: str
    name: str
    company: str
    line1: str
    line2: str
    city: str
    region: str
    postal_code: str
    country: str
    phone: str
    is_default: bool


class CustomerOut(Schema):
    id: UUID
    email: str
    first_name: str
    last_name: str


class ProfileOut(CustomerOut):
    phone: str
    language: str
    addresses: list[AddressOut]


class TokensOut(Schema):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Field(description="Seconds until the access token expires.")]
    scope: str


class LoginOut(TokensOut):
    customer: CustomerOut


class RegisterOut(Schema):
    """``next`` says how to verify the address; where the site does not ask for that, ``login`` has the tokens."""

    status: Literal["verification_required", "active"]
    detail: str
    next: NextStep | None = None
    login: LoginOut | None = None


def _unique_default(addresses: list[Any]) -> list[Any]:
    if sum(address.is_default for address in addresses) > 1:
        raise ValueError("Only one address can be the default.")
    return addresses


class AddressIn(In):
    label: Annotated[ShortText, Field(max_length=50)] = ""
    name: ShortText = ""
    company: ShortText = ""
    line1: Annotated[ShortText, Field(min_length=1)]
    line2: ShortText = ""
    city: Annotated[ShortText, Field(min_length=1, max_length=100)]
    region: Annotated[ShortText, Field(max_length=100)] = ""
    postal_code: Annotated[ShortText, Field(max_length=20)] = ""
    country: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$")]
    phone: Phone = ""
    is_default: bool = False


class ProfileIn(In):
    """Fields that are left out do not change. ``addresses`` replaces all addresses."""

    first_name: Name | None = None
    last_name: Name | None = None
    phone: Phone | None = None
    language: Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z0-9-]*$")] | None = None
    addresses: Annotated[list[AddressIn], Field(max_length=MAX_ADDRESSES), AfterValidator(_unique_default)] | None = (
        None
    )
