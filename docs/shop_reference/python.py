"""The functions that a site may call, and every exception."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from shop_reference.definitions import call, entry, members
from shop_reference.markdown import paragraphs, table, words

CORE: Mapping[str, str] = {
    "addresses": "comparable delivery_problem identity_problem supports_utf8",
    "admin_log": "erase",
    "conf": "BaseSettings",
    "connections": "PrivateAddress is_public connect Deadline",
    "exceptions": "ShopError Busy NotAuthenticated PermissionMissing TooManyRequests",
    "hooks": "load_hook",
    "limits": "check are_rates",
    "jobs": "Job Schedule JobsCommand",
    "model_admins": "ReadOnly SafeList LongList",
    "money": "exponent unit quantise as_text",
    "replay": "ReplayCommand PastEvent receivers_of send since_of key_after rows_after",
    "db.compiled": "CompiledQuery LiteralInteger is_newer_than_tested uses_plain_queries",
    "db.finding": "keys_found",
    "db.rows": "insert_values_sql field_of chunks as_stored",
    "db.transactions": (
        "in_transaction outside_transaction CalledInTransaction non_atomic has_transaction repeat_once is_temporary "
        "connection_of app_routing outside_event_loop"
    ),
    "api.auth": "ConfiguredAuth check_permission has_credential",
    "api.bodies": "BodyRefused check check_value refuse_constant unique_keys",
    "api.problems": "Problems Problem FieldProblem responses",
    "api.types": "In safe_text",
    "api.views": "keep_private make_non_atomic make_private ReadMethods",
}
"""The public names of core, for the packages and for plugins that build on it."""

FUNCTIONS: Mapping[str, Mapping[str, str]] = {
    "shop_core": {
        "money": "quantise as_text exponent",
    },
    "shop_catalog": {
        "categories": (
            "create change move reorder delete get check repair current_tree tree_at tree_version CategoryTree Node"
        ),
        "products": "create change set_price delete get lowest_recent_price",
        "inventory": "receive adjust count reserve release ship restock differences",
        "exports": "csv_lines write_xlsx export_products",
        "imports": "import_file understand describe warnings import_products import_categories read_rows",
        "images": (
            "add change make_primary reorder remove set_category_image remove_category_image check_address "
            "WantedImage request_fetches count_fetches try_again fetch"
        ),
        "personal_data": "export_personal_data erase_personal_data",
        "reviews": "submit change moderate reply delete get",
        "browsing": (
            "Filters Place list_products count_products count_facets place_to_cursor place_from_cursor find_product "
            "suggest"
        ),
        "statistics": "for_category",
        "media": "serve",
        "jobs": "run_due overdue",
        "api.problems": "register",
    },
    "shop_orders": {
        "carts": (
            "CartView LineView MergeReport MergeChange find find_or_open add_to_cart add_item set_quantity "
            "remove_item set_line_quantity remove_line clear view merge prune "
            "agree_to_reminder withdraw_reminder reminder_of announce_abandoned"
        ),
        "checkout": "Contact place_order preview",
        "visitors": "of limit",
        "form_tokens": "new_token is_valid once find FormTokenField",
        "lifecycle": (
            "allowed allowed_states set_state confirm start_processing ship deliver cancel "
            "cancel_units restock reinstate add_note"
        ),
        "payments": (
            "available_providers provider_choices ProviderChoice providers_for start record_payment capture resolve "
            "refund queue_refund record_provider_refund "
            "resolve_refund resolve_dispute refresh apply_state "
            "receive assign_incoming dismiss_incoming reconcile expire_due"
        ),
        "customers": (
            "for_request for_user user_of update set_addresses save_address delete_address claim_orders anonymise"
        ),
        "personal_data": (
            "person_of_user person_of_customer person_with_email export_personal_data erase_personal_data "
            "export_everywhere erase_everywhere finish_erasures"
        ),
        "tracking": "Tracking of refunds_of",
        "guest_links": "token_for is_valid",
        "pages": (
            "current_cart current_view own_cart own_order product_name add_to_cart cart cart_token forget connect"
        ),
        "pricing": "price tax_at",
        "pricing.parts": "amount_of_lines amount_of_shipping tax_lines_of",
        "events": "order_payload announce_due muted",
        "emails": "EmailField email_key problem validate",
        "phones": "normalise",
        "product_sources": "product_source",
        "payment_providers": "aliases payment_provider obstacle minor_units from_minor_units",
        "jobs": "run_due overdue",
        "api.problems": "register",
        "contrib.pages.delivery": "DeliveryOption by_code",
        "contrib.pages.links": "order_path",
        "contrib.pages.views.base": "Page OrderPage",
        "contrib.pages.views.cart": "ShowCart AddToCart ChangeCart ClearCart",
        "contrib.pages.views.checkout": "EnterDetails ReviewOrder PlaceOrder",
        "contrib.pages.views.orders": (
            "FindOrder ShowOrder Thanks CancelOrder look_at_payment waits_until awaits_money"
        ),
        "contrib.pages.views.paying": "PayOrder",
        "contrib.pages.forms": "ShopForm AddressFields CheckoutForm FindOrderForm",
    },
    "shop_notify": {
        "outbox": "put resend resend_once retry retry_dead",
        "delivery": "wake_up deliver_due start_fallbacks receive_reports check_balances",
        "notifiers": "get_notifier installed",
        "notifiers.http": "request failure_for retry_after_seconds",
        "queues": "wake",
        "history": "deliveries label",
        "messages": "Preview preview_signal preview_notification render validate_override sample_values",
        "recipients": (
            "mutable_groups preference_choices read_preferences write_preferences recipient_of_user suppress "
            "lift_suppression suppressed unsubscribe unsubscribe_link"
        ),
        "segments": "count_segments",
        "health": "notifiers oldest_due_at",
        "personal_data": "export_personal_data erase_personal_data",
        "pruning": "prune",
        "jobs": "run_due overdue",
        "api.problems": "register",
    },
}
"""Functions that a site may call, module by module, in the order in which they are met; classes that they return."""


def python() -> str:
    """The functions of FUNCTIONS with their docstrings, and every exception."""
    parts = []
    for package, modules in FUNCTIONS.items():
        parts.append(f"## {package}")
        for name, functions in modules.items():
            module = importlib.import_module(f"{package}.{name}")
            entries = [_public(getattr(module, function)) for function in functions.split()]
            parts += [f"### {package}.{name}", words(_first(module)), *entries]
        parts += [f"### {package}.exceptions", table(("exception", "code", "what it says"), _exceptions(package))]
    return "\n\n".join(parts)


def core() -> str:
    """The public names of core, module by module, each with the first paragraph of its docstring."""
    parts = []
    for name, things in CORE.items():
        module = importlib.import_module(f"shop_core.{name}")
        rows = [(f"`{thing}`", words(_first(getattr(module, thing)))) for thing in things.split()]
        parts += [f"## shop_core.{name}", words(_first(module)), table(("name", "what it is"), rows)]
    return "\n\n".join(parts)


def _public(thing: Any) -> str:
    """A function's definition, or a class with the table of its fields."""
    if not isinstance(thing, type):
        return entry(call(thing), thing)
    return "\n\n".join([f"`{thing.__name__}`", paragraphs(inspect.getdoc(thing)), *members(thing)])


def _exceptions(package: str) -> Iterator[tuple[str, str, str]]:
    for name, error in vars(importlib.import_module(f"{package}.exceptions")).items():
        if isinstance(error, type) and issubclass(error, Exception):
            parent = "" if error.__base__ is Exception else f"<br>a {error.__base__.__name__}"
            default = getattr(error, "default_message", None)
            text = words(vars(error).get("__doc__")) or (str(default()) if default else "")
            yield f"`{name}`{parent}", f"`{error.code}`", text


def _first(thing: Any) -> str:
    """The first paragraph of the docstring of a module, function or class, without an inherited one."""
    own = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    return inspect.cleandoc(own or "").split("\n\n")[0]
