import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

ROOT = Path(settings.BASE_DIR).parent
DEPLOY = ROOT / "deploy"
NAMES = re.compile(r"^#? ?([A-Z][A-Z0-9_]+)=", re.MULTILINE)
SERVERS = {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
"""Variables of the other containers."""


def variables(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return {name: value.strip('"') for name, _equals, value in (line.partition("=") for line in lines)}


def packages(path):
    """``{name: lines}`` of a requirements file, a continued line counts as one."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {re.split(r"[\[=<>; ]", line)[0].lower().replace("_", "-"): line for line in lines}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-build.txt"])
def test_every_library_of_production_is_pinned_and_hashed_without_an_address(name):
    found = packages(DEPLOY / name)
    assert found
    assert [line for line in found.values() if "==" not in line or "--hash=sha256:" not in line] == []
    assert "://" not in (DEPLOY / name).read_text(encoding="utf-8")
    assert [line for line in (DEPLOY / name).read_text(encoding="utf-8").splitlines() if line.startswith("-")] == []


def test_the_list_has_what_the_example_asks_for():
    asked = {name for name in packages(ROOT / "example_project/requirements.txt") if not name.startswith("-")}
    assert asked - set(packages(DEPLOY / "requirements.txt")) == set()


@pytest.mark.parametrize("name", ["server/shop.env.example", "env.prod.example"])
def test_the_examples_name_only_variables_that_are_explained(name):
    explained = set(NAMES.findall((ROOT / "example_project/.env.example").read_text(encoding="utf-8")))
    assert set(variables(DEPLOY / name)) - explained - SERVERS == set()


@pytest.mark.parametrize("name", ["server/shop.env.example", "env.prod.example"])
def test_with_the_settings_of_an_example_the_deployment_checks_are_clean(name, tmp_path):
    given = {"SECRET_KEY": secrets.token_hex(32), "DATA_DIR": str(tmp_path), "PATH": os.environ["PATH"]}
    environment = {**variables(DEPLOY / name), **given, "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT / "example_project", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no issues (0 silenced)" in done.stdout


def test_the_web_server_can_read_uploads_under_the_umask_of_the_units(settings, tmp_path):
    units = [path.read_text(encoding="utf-8") for path in (DEPLOY / "server/systemd").glob("*.service")]
    assert {line for unit in units for line in unit.splitlines() if line.startswith("UMask")} == {"UMask=0027"}
    settings.MEDIA_ROOT = tmp_path
    before = os.umask(0o027)
    try:
        default_storage.save("shop_catalog/products/picture.txt", ContentFile(b"whole"))
    finally:
        os.umask(before)
    made = sorted(tmp_path.rglob("*"))
    assert [oct(path.stat().st_mode & 0o777) for path in made] == ["0o755", "0o755", "0o644"]
