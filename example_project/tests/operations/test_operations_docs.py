import re
import shlex
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

DOCS = Path(settings.BASE_DIR).parent / "docs"
PAGES = sorted(DOCS.glob("*/operations-*.md"))
if not PAGES:
    pytest.skip("the documentation is not here", allow_module_level=True)

COMMANDS = [
    (page.name, line)
    for page in PAGES
    for block in re.findall(r"^```shell\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if "manage.py" in line
]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda value: value[:60])
def test_a_command_of_the_documentation_exists_and_takes_these_arguments(page, line):
    words = shlex.split(line)
    name, *arguments = words[words.index("manage.py") + 1 :]
    command = get_commands()[name]
    parser = (load_command_class(command, name) if isinstance(command, str) else command).create_parser("", name)
    assert parser.parse_args(arguments)


def test_every_metric_is_in_the_reference(client, settings, db):
    settings.METRICS_TOKEN = "a-token"
    text = client.get("/metrics", headers={"Authorization": "Bearer a-token"}).content.decode()
    families = set(re.findall(r"^# TYPE (shop_\w+)", text, re.MULTILINE))
    table = (DOCS / "reference/operations-endpoints.md").read_text(encoding="utf-8").partition("## Metrics")[2]
    documented = set(re.findall(r"^\| `(shop_\w+)", table.partition("\n## ")[0], re.MULTILINE))
    assert {name for name in families if not name.endswith("_created")} == documented
