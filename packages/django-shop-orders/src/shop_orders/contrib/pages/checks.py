"""Checks for what the pages need of the site, with the line to paste."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.template import Template, TemplateDoesNotExist, TemplateSyntaxError, engines
from django.template.backends.django import DjangoTemplates
from django.template.loader_tags import BlockNode, ExtendsNode
from django.urls import NoReverseMatch, get_resolver, reverse
from django.utils.module_loading import import_string

MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
)
PROCESSORS = (
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
)

BASE = '{% extends "base.html" %}'
BLOCKS = ("title", "content")
"""Without these blocks in base.html, the pages have no title or no content."""


def register() -> None:
    checks.register(check_site, "shop_orders")


def check_site(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """All checks of what the pages need."""
    return [message for part in (_apps, _middleware, _processors, _base, _urls) for message in part()]


def _apps() -> Iterator[checks.CheckMessage]:
    needed = ("django.contrib.auth", "django.contrib.messages", "django.contrib.sessions")
    missing = [name for name in needed if not apps.is_installed(name)]
    if missing:
        yield checks.Error(
            f"The pages of the shop need {' and '.join(missing)} in INSTALLED_APPS.",
            hint=f"Paste into INSTALLED_APPS: {_pasted(missing)}.",
            id="shop_orders_pages.E001",
        )


def _middleware() -> Iterator[checks.CheckMessage]:
    """A subclass of the site counts too."""
    found = [import_string(path) for path in settings.MIDDLEWARE]
    missing = [name for name in MIDDLEWARE if not any(_is_a(one, import_string(name)) for one in found)]
    if missing:
        yield checks.Warning(
            f"The pages of the shop need {' and '.join(missing)} in MIDDLEWARE.",
            hint=f"Paste into MIDDLEWARE, in the order of a new project: {_pasted(missing)}.",
            id="shop_orders_pages.W001",
        )


def _processors() -> Iterator[checks.CheckMessage]:
    own = _own_base()
    found = own.backend.engine.context_processors if own is not None else PROCESSORS
    missing = [name for name in PROCESSORS if name not in found]
    if missing:
        yield checks.Warning(
            f"The templates of the shop need {' and '.join(missing)}.",
            hint=f"Paste into the context_processors of TEMPLATES: {_pasted(missing)}.",
            id="shop_orders_pages.W002",
        )


def _base() -> Iterator[checks.CheckMessage]:
    """The name in ``extends`` is found only when a template is rendered, which a check does not do."""
    own = _own_base()
    if own is None:
        yield checks.Error(
            "No engine of TEMPLATES finds shop_orders_pages/base.html, or the template has an error.",
            hint='Paste into the one with Django\'s templates: "APP_DIRS": True.',
            id="shop_orders_pages.E003",
        )
        return
    if BASE not in own.template.source:
        return
    try:
        found = own.backend.get_template("base.html")
    except TemplateDoesNotExist:
        yield checks.Error(
            "The pages of the shop extend base.html, and no app or folder of their engine in TEMPLATES has it.",
            hint="Write it with the blocks title, head and content, or replace shop_orders_pages/base.html.",
            id="shop_orders_pages.E002",
        )
        return
    except TemplateSyntaxError:
        return  # Django reports it with the line when the template is rendered
    blocks = _blocks(found.template)
    missing = [name for name in BLOCKS if blocks is not None and name not in blocks]
    if missing:
        yield checks.Warning(
            f"The pages of the shop fill the block {' and the block '.join(missing)}, which base.html does not have.",
            hint="Add it to base.html, or fill the blocks that it has in a shop_orders_pages/base.html of your own.",
            id="shop_orders_pages.W003",
        )


def _urls() -> Iterator[checks.CheckMessage]:
    """Pages that ROOT_URLCONF does not have may be in the URLs of a host, so that is not a warning."""
    if not getattr(settings, "ROOT_URLCONF", "") or _is_found():
        return
    if not _is_included(get_resolver().url_patterns):
        yield checks.Info(
            "ROOT_URLCONF does not include the pages of the shop.",
            hint='Paste into its urlpatterns: path("shop/", include("shop_orders.contrib.pages.urls")). '
            "Where only the URLs of one host include them, silence this message.",
            id="shop_orders_pages.I001",
        )
    else:
        yield checks.Warning(
            "The pages of the shop are included below a namespace, or below a path with a parameter, so that no page "
            "finds the URL of another.",
            hint='Include them below a fixed path of ROOT_URLCONF: path("shop/", '
            'include("shop_orders.contrib.pages.urls")).',
            id="shop_orders_pages.W004",
        )


def _is_found() -> bool:
    try:
        reverse("shop_orders_pages:cart")
    except NoReverseMatch:
        return False
    return True


def _is_included(patterns: Iterable[Any]) -> bool:
    return any(
        getattr(row, "app_name", "") == "shop_orders_pages" or _is_included(getattr(row, "url_patterns", ()))
        for row in patterns
    )


def _blocks(template: Any) -> set[str] | None:
    """The blocks of a template and of its parents; None if a parent is known only when the template is rendered."""
    names: set[str] = set()
    seen: set[str] = set()
    while isinstance(template, Template):
        nodes: Any = template.nodelist
        names |= {node.name for node in nodes.get_nodes_by_type(BlockNode)}
        parents = [node.parent_name.var for node in nodes.get_nodes_by_type(ExtendsNode)]
        if not parents:
            return names
        [parent] = parents
        if not isinstance(parent, str) or parent in seen:
            return None
        seen.add(parent)
        try:
            template = template.engine.get_template(parent)
        except (TemplateDoesNotExist, TemplateSyntaxError):
            return None
    return None


def _own_base() -> Any:
    """The parent template of all pages, from the engine that renders them; None if no engine finds it."""
    for engine in engines.all():
        if isinstance(engine, DjangoTemplates):
            try:
                return engine.get_template("shop_orders_pages/base.html")
            except (TemplateDoesNotExist, TemplateSyntaxError):
                continue
    return None


def _is_a(one: Any, base: type) -> bool:
    return isinstance(one, type) and issubclass(one, base)


def _pasted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
