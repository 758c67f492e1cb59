"""Each name of the reference has a docstring, which says more than the name does."""

import ast
import inspect
import re
import sys
import textwrap
from functools import cached_property
from importlib import import_module
from pathlib import Path

from django.contrib.admin import ModelAdmin
from django.forms import Form
from django.views import View
from shop_orders.product_sources import ProductSource

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))
from shop_reference.extension_points import CLASSES
from shop_reference.python import CORE, FUNCTIONS

LISTED = [
    *((f"shop_core.{module}", names) for module, names in CORE.items()),
    *((f"{app}.{module}", names) for app, rooms in FUNCTIONS.items() for module, names in rooms.items()),
    *CLASSES.values(),
]
DOCUMENTED_ELSEWHERE = {*dir(ModelAdmin), *dir(ProductSource), *dir(Form), *dir(View), *View.http_method_names}
"""Methods of mixins, views, forms and stand-ins, whose contract is that of Django's class or of the protocol."""

FILLERS = {"a", "all", "an", "and", "for", "in", "is", "it", "its", "of", "or", "that", "the", "this", "to", "whether"}


def things():
    """The classes and functions by their paths, and the methods and properties of these classes.

    The checks of a kit, ``test_...``, are listed by their names alone.
    """
    for module, names in LISTED:
        for name in names.split():
            thing = getattr(import_module(module), name)
            yield f"{module}.{name}", thing
            for member, value in vars(thing).items() if isinstance(thing, type) else ():
                function = getattr(value, "__func__", value)
                is_member = inspect.isfunction(function) or isinstance(function, property | cached_property)
                if is_member and not member.startswith(("_", "test_")):
                    yield f"{module}.{name}.{member}", getattr(thing, member)


def text_of(thing):
    """The docstring, of a method also that of a parent; of a class only its own."""
    own = vars(thing).get("__doc__") if isinstance(thing, type) else inspect.getdoc(thing)
    return inspect.cleandoc(own or "")


def stems(text):
    return {word[:4].lower() for word in re.findall(r"[^\W_]+", text) if word.lower() not in FILLERS}


def test_each_name_of_the_reference_has_a_docstring_that_says_more_than_the_name():
    found = dict(things())
    assert len(found) > 400
    missing = [
        path
        for path, thing in found.items()
        if path.rpartition(".")[2] not in DOCUMENTED_ELSEWHERE
        and len(stems(text_of(thing).partition("Raises:")[0]) - stems(path.rpartition(".")[2])) < 2
    ]
    assert missing == []


def test_errors_that_a_listed_function_raises_are_in_its_docstring():
    """Those of its own ``raise`` statements; ``NotImplementedError`` marks what a subclass writes."""
    found = {path: raised(thing) - words(text_of(thing)) for path, thing in things() if not is_command(path)}
    unnamed = {path: names for path, names in found.items() if names}
    assert unnamed == {}


def is_command(path):
    """Django's contract of ``handle``: it raises CommandError."""
    return path.endswith("Command.handle")


def raised(thing):
    function = inspect.unwrap(getattr(thing, "fget", thing))
    if not inspect.isfunction(function) and not inspect.ismethod(function):
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    errors = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None]
    names = {ast.unparse(getattr(error, "func", error)).rpartition(".")[2] for error in errors}
    return {name for name in names if name[0].isupper()} - {"NotImplementedError"}


def words(text):
    return set(re.findall(r"\w+", text))
