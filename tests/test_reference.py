"""The generated reference is complete."""

import ast
import importlib
import json
import re
import sys
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from config.docs import MEANINGS
from django.core.management import get_commands
from hypothesis import example, given
from hypothesis import strategies as st
from shop_orders import crediting
from shop_orders.models import Payment, PaymentStatus

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))
import shop_reference  # noqa: E402

PARTS_OF_A_COMPILED_QUERY = {"Parameter", "Slot", "Statement"}
SOURCES = {name: next(ROOT.glob(f"packages/*/src/{name}")) for name in shop_reference.PACKAGES}


@cache
def page(name):
    return (ROOT / f"docs/reference/{name}.md").read_text(encoding="utf-8")


def names_in_code(file, pattern):
    """``file`` may be a glob: a module or a folder of modules in each package."""
    for package, folder in SOURCES.items():
        for path in sorted(folder.glob(file)):
            for name in re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE):
                yield package, name


def chapter(text, title):
    return text.partition(f"### {title}\n")[2].partition("\n### ")[0]


@cache
def openapi():
    """The committed OpenAPI document, which test_openapi.py compares with the code."""
    return json.loads((ROOT / "tests/openapi.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [*shop_reference.pages()], ids=lambda path: path.stem)
def test_committed_page_is_what_the_code_generates(path):
    """After an intended change: ``nox -s reference``, or ``python docs/write_reference.py``."""
    text = path.read_text(encoding="utf-8")
    assert shop_reference.END in text
    assert shop_reference.fill(text) == text


def test_a_page_has_one_generated_part():
    marks = [path.name for path in (ROOT / "docs").rglob("*.md") if "<!-- reference: " in path.read_text("utf-8")]
    assert sorted(marks) == sorted(path.name for path in shop_reference.pages())


def test_reference_lists_every_setting():
    found = list(names_in_code("conf.py", r"^    def ([A-Z_]+)\(self\)"))
    assert len(found) > 40
    chapters = {part.partition("\n")[0]: part for part in page("settings").split("\n## ")}
    assert [name for package, name in found if f"\n| `{name}` |" not in chapters[package.upper()]] == []


def test_defaults_of_settings_are_not_those_of_a_site():
    text = page("settings")
    assert "default: `'shop_notify.queues.inline'` |" in text
    assert not re.search(r"storefront\.|django_q2'", text)


def test_reference_lists_every_signal():
    found = list(names_in_code("signals.py", r"^(\w+) = Signal\("))
    assert len(found) >= 13
    assert [name for package, name in found if f"| `{package}.signals.{name}` |" not in page("signals")] == []


def test_page_of_the_signals_of_a_package_lists_every_signal():
    found = list(names_in_code("signals.py", r"^(\w+) = Signal\("))
    missing = [
        name for package, name in found if f"| `{name}` |" not in page(f"{package.removeprefix('shop_')}-signals")
    ]
    assert (len(found) > 15, missing) == (True, [])


def test_reference_lists_every_check_with_a_text():
    pattern = r'"(shop_\w+\.[EWI]\d{3})"'
    files = ("checks.py", "checks/*.py", "contrib/*/checks.py")
    found = {name for file in files for _package, name in names_in_code(file, pattern)}
    rows = re.findall(r"^\| `(shop_\w+\.[EWI]\d{3})` \| \w* \| (\S[^|]*) \|", page("checks"), re.MULTILINE)
    assert len(found) > 30
    assert {name for name, _text in rows} == found


def test_reference_lists_every_command():
    found = {
        path.stem
        for pattern in ("packages/*/src/*/management/commands/*.py", "example_project/*/management/commands/*.py")
        for path in ROOT.glob(pattern)
        if path.stem != "__init__"
    }
    assert found <= set(get_commands())
    assert set(re.findall(r"^### (\w+)$", page("commands"), re.MULTILINE)) == found


def test_reference_lists_every_problem_code():
    assert set(re.findall(r"^\| `(\w+)` \|", page("problems"), re.MULTILINE)) == set(MEANINGS)


def test_reference_lists_every_operation():
    found = {
        (f"{method.upper()} {path.removeprefix('/api/v1')}", operation["operationId"])
        for path, methods in openapi()["paths"].items()
        for method, operation in methods.items()
    }
    assert set(re.findall(r"^\| `([A-Z]+ [^`]+)` \| [^|]*<br>`(\w+)` \|", page("api"), re.MULTILINE)) == found


def test_reference_lists_every_body_and_links_only_to_those():
    text = page("api")
    titles = set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    assert titles == set(openapi()["components"]["schemas"])
    assert set(re.findall(r"\]\(#(\w+)\)", text)) <= {title.lower() for title in titles}


def test_reference_lists_every_exception():
    found = {
        name
        for package in SOURCES
        for name, error in vars(importlib.import_module(f"{package}.exceptions")).items()
        if isinstance(error, type) and issubclass(error, Exception)
    }
    assert len(found) > 50
    assert {name for name in found if f"\n| `{name}`" not in page("python")} == set()


def test_reference_lists_every_extension_point_class_and_kit():
    modules = ["shop_orders.product_sources", "shop_orders.payment_providers", "shop_orders.testing"]
    modules += ["shop_notify.notifiers", "shop_notify.testing", "shop_catalog.search"]
    shipped = re.compile(r"(Model\w+Source|\w+Notifier|\w+Search|BankTransfer|PayOnDelivery|\w+TestProvider)$")
    found = {
        name
        for module in modules
        for name in importlib.import_module(module).__all__
        if name[0].isupper() and not shipped.match(name) and f"| `{name}`" not in page("python")
    }
    assert len(found) > 15
    assert {name for name in found if f"\n### {name}\n" not in page("extension-points")} == set()


def test_values_that_a_class_computes_are_listed_with_their_types():
    text = page("extension-points")
    for row in ("| `total` | `Decimal` |", "| `tax_lines` | `Sequence[Charge]` |", "| `net` | `Decimal \\| None` |"):
        assert row in text


def test_every_hook_of_the_settings_is_among_the_extension_points():
    """A hook is a setting whose description has a callable, a dotted path or a backend."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", page("settings"), re.MULTILINE)
    hooks = {name for name, words in rows if re.search(r"[Cc]allable|[Dd]otted path|BACKEND|->", words)}
    assert len(hooks) >= 13
    assert {name for name in hooks if f"{name}" not in page("extension-points")} == set()


def test_reference_lists_every_function_that_the_docs_call():
    text = page("python")
    modules = {}
    for package, functions in shop_reference.FUNCTIONS.items():
        for name in functions.keys() - {"api.problems", "jobs"}:
            modules.setdefault(name.rpartition(".")[2], []).append(f"{package}.{name}")
    call = re.compile(rf"(?<![\w.])({'|'.join(modules)})\.([a-z_]+)\(")
    called = {
        (module, function)
        for path in [*ROOT.glob("docs/**/*.md"), *ROOT.glob("packages/*/README.md")]
        for block in re.findall(r"^```.*?^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        for module, function in call.findall(block)
        if function not in {"filter", "none"}  # a queryset called products
    }
    assert len(called) >= 35
    missing = {
        (module, function)
        for module, function in called
        if not any(f"\n- `{function}(" in chapter(text, name) for name in modules[module])
    }
    assert missing == set()


@pytest.mark.parametrize("name", [name.replace("_", "-") for name in shop_reference.PAGES])
def test_every_table_row_has_as_many_cells_as_its_header(name):
    tables = re.findall(r"(?:^\|.*\n?)+", page(name), re.MULTILINE)
    widths = [{len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines()} for text in tables]
    assert [width for width in widths if len(width) > 1] == []


def test_reference_lists_every_public_name_of_core():
    text = page("core")
    source = ROOT / "packages/django-shop-core/src/shop_core"
    missing = [
        f"{path.stem}.{node.name}"
        for path in sorted(source.rglob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        if f"\n| `{node.name}` |" not in text and node.name not in PARTS_OF_A_COMPILED_QUERY
    ]
    assert missing == []


@pytest.mark.parametrize("package", ["catalog", "orders", "notify"])
def test_no_two_checks_have_one_number(package):
    source = ROOT / f"packages/django-shop-{package}/src/shop_{package}"
    places = {}
    for path in [*source.glob("checks.py"), *source.glob("checks/*.py")]:
        for function in ast.parse(path.read_text(encoding="utf-8")).body:
            for node in ast.walk(function):
                if isinstance(node, ast.keyword) and node.arg == "id" and isinstance(node.value, ast.Constant):
                    places.setdefault(node.value.value, set()).add(f"{path.stem}.{function.name}")
    assert len(places) >= 10
    assert {number: names for number, names in places.items() if len(names) > 1} == {}


CENTS = st.integers(0, 12).map(lambda number: Decimal(number) / 4)
ATTEMPTS = {
    "any": lambda statuses: True,
    "one is authorised": lambda statuses: "authorised" in statuses,
    "the newest failed or was cancelled, none is open": lambda statuses: (
        statuses[-1:] in (["failed"], ["cancelled"])
        and not {"started", "pending", "processing", "authorised"} & set(statuses)
    ),
}


@cache
def payment_statuses():
    """The rows of the table of payment statuses: a condition of amounts, a test of the payments, and the status."""
    row = re.compile(r"^\| (?:`(?P<amounts>[^`]+)`|any) \| (?P<attempts>[^|]+) \| `(?P<status>\w+)` \|", re.MULTILINE)
    return [
        (match["amounts"] or "True", ATTEMPTS[match["attempts"]], match["status"])
        for match in row.finditer(page("orders-states"))
    ]


@given(
    total=CENTS,
    credited=st.integers(0, 4),
    captured=CENTS,
    refunded=st.integers(0, 4),
    attempts=st.lists(st.sampled_from(list(map(str, Payment.Status))), max_size=3),
)
@example(total=Decimal(10), credited=0, captured=Decimal(20), refunded=2, attempts=["captured", "captured"])
@example(total=Decimal(10), credited=4, captured=Decimal(0), refunded=0, attempts=["cancelled"])
@example(total=Decimal(0), credited=0, captured=Decimal(0), refunded=0, attempts=[])
def test_payment_status_follows_the_table(total, credited, captured, refunded, attempts):
    """``credited`` and ``refunded`` are quarters of the total and of what was captured."""
    credited, refunded = total * credited / 4, captured * refunded / 4
    amounts = {"total": total, "credited": credited, "captured": captured, "refunded": refunded}
    expected = next(
        status
        for condition, fits, status in payment_statuses()
        if eval(condition, {}, dict(amounts)) and fits(attempts)
    )
    assert crediting.payment_status(**amounts, attempts=attempts) == expected


def test_every_payment_status_is_in_the_table():
    assert {status for _condition, _fits, status in payment_statuses()} == set(PaymentStatus)


def test_every_template_and_block_of_the_pages_is_listed():
    """docs/howto/orders-pages.md: a site replaces them by these names. A name that is listed exists."""
    text = (ROOT / "docs/howto/orders-pages.md").read_text(encoding="utf-8")
    templates = [*(SOURCES["shop_orders"] / "contrib/pages/templates/shop_orders_pages").glob("*.html")]
    blocks = {name for path in templates for name in re.findall(r"{% block (shop_\w+) %}", path.read_text("utf-8"))}
    assert len(blocks) > 15
    assert [path.name for path in templates if f"`{path.name}`" not in text] == []
    rows = re.findall(r"^\| `.*", text, re.MULTILINE)
    assert set(re.findall(r"`(shop_\w+)`", "".join(rows))) - {"shop_orders_pages"} == blocks
