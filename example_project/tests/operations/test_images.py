"""Every image and every action is named exactly, in one place, and is updated by Dependabot."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR).parent
OWN = {"shop", "registry.example.org/shop"}
"""Images that are built from this repository."""
FILES = sorted(
    path
    for pattern in (
        "*ockerfile",
        "*compose*.yml",
        "deploy/k8s/**/*.yaml",
        ".github/**/*.yml",
        "plugin_template/**/*.yml",
    )
    for path in ROOT.rglob(pattern)
    if not {"node_modules", ".nox", ".tox"} & {*path.parts}
)
NAMED = re.compile(r"^\s*(?:-\s+)?(?:image|container):\s*[\"']?([^\s\"'#]+)|^FROM\s+(?:--\S+\s+)*(\S+)", re.MULTILINE)
STAGE = re.compile(r"^FROM\s.*\sAS\s+(\S+)", re.MULTILINE | re.IGNORECASE)
WITH_VARIABLE = re.compile(r"\$\{([A-Z]+_IMAGE):-([^}]+)\}")
EXACT = re.compile(r"(?P<name>[\w./-]+):(?P<tag>v?\d+(?:\.\d+)+[\w.-]*)(?:@sha256:[0-9a-f]{64})?")


def images(text):
    """The images of a Dockerfile, manifest or workflow, as they are written, without the stages of a Dockerfile."""
    stages = set(STAGE.findall(text))
    return [name for name in (first or second for first, second in NAMED.findall(text)) if name not in stages]


def problem_of(image):
    """What is wrong with the name of an image; "" if nothing is."""
    if found := WITH_VARIABLE.fullmatch(image):
        image = found[2]
    if image.partition(":")[0] in OWN:
        return "" if re.fullmatch(r"[^:]+:(?!latest)[\w.-]+", image) else "it has no tag of its own"
    found = EXACT.fullmatch(image)
    if found is None:
        return "it has no version, or one that moves"
    numbers = re.match(r"v?([\d.]*\d)", found["tag"])[1].split(".")
    wanted = 2 if found["name"] == "postgres" else 3  # PostgreSQL has had two numbers since version 10
    return "" if len(numbers) >= wanted else f"its tag must have {wanted} numbers"


@pytest.mark.parametrize(
    "text",
    [
        *("FROM python", "FROM python:latest", "FROM --platform=linux/amd64 python:3.13-slim AS build"),
        *("FROM ${PYTHON_IMAGE}", "FROM python:3.13.9 AS base\nFROM bas", "  image: redis", "  image: redis:7-alpine"),
        *("  - image: 'redis:latest'", "  container: node:20", "  image: ${REDIS_IMAGE}", "  image: shop"),
        *("  image: ${SHOP_IMAGE:-shop:latest}", "FROM docker.io/python:3.13"),
        *("  image: postgres:17", "  image: x@sha256:abc", "  image: python:stable-1.2.3"),
    ],
)  # fmt: skip
def test_a_name_that_moves_is_refused(text):
    assert [image for image in images(text) if problem_of(image)]


def test_every_image_has_an_exact_tag():
    found = {(str(path.relative_to(ROOT)), image) for path in FILES for image in images(path.read_text("utf-8"))}
    assert {path for path, _image in found} >= {
        "deploy/Dockerfile",
        "deploy/docker-compose.yml",
        "deploy/k8s/40-web.yaml",
    }
    assert {key: problem_of(key[1]) for key in found if problem_of(key[1])} == {}


def test_an_image_is_named_in_one_place_of_each_file_and_in_one_version():
    """In a compose file the place is the default of a variable, so that a mirror can be named without an edit."""
    versions = {}
    for path in FILES:
        named = [WITH_VARIABLE.sub(r"\2", image) for image in images(path.read_text("utf-8"))]
        for image in named:
            name, _colon, tag = image.partition(":")
            if name not in OWN:
                versions.setdefault(name, set()).add(tag)
        if "compose" in path.name:
            assert all(WITH_VARIABLE.fullmatch(image) for image in images(path.read_text("utf-8"))), path
        assert len(named) == len(set(named)), path
    assert {name: tags for name, tags in versions.items() if len(tags) > 1} == {}


def test_every_action_is_named_by_its_commit_and_every_runner_by_its_version():
    actions, runners = [], []
    for path in FILES:
        if "workflows" in path.parts:
            text = path.read_text("utf-8")
            actions += re.findall(r"uses:\s*(\S+)", text)
            runners += re.findall(r"runs-on:\s*(.+)|\bos: \[(.+)\]", text)
    assert actions
    assert [action for action in actions if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []
    assert [runner for runner in runners if "latest" in "".join(runner)] == []


def folders(ecosystem):
    """The folders in which Dependabot updates an ecosystem."""
    text = (ROOT / ".github/dependabot.yml").read_text("utf-8")
    entries = re.findall(r"- package-ecosystem: (\S+)\n    director(?:y|ies): (.+)\n", text)
    return {
        folder.strip(" /") for name, listed in entries if name == ecosystem for folder in listed.strip("[]").split(",")
    }


def test_dependabot_updates_every_file_that_names_an_image():
    with_images = [path for path in FILES if images(path.read_text("utf-8"))]
    compose = {str(path.parent.relative_to(ROOT)) for path in with_images if "compose" in path.name}
    others = {str(path.parent.relative_to(ROOT)) for path in with_images if "compose" not in path.name}
    assert folders("docker-compose") == compose
    assert folders("docker") == others
    assert folders("github-actions") == {""}
    assert folders("pip") >= {"deploy"}


def test_no_base_image_is_an_argument():
    """Dependabot reads the literal names after FROM alone; a stage gives the image its one place."""
    for path in FILES:
        if path.name.endswith("ockerfile"):
            assert "$" not in "".join(images(path.read_text("utf-8")))


@pytest.fixture
def copied(tmp_path):
    """A copy of deploy/ with a stand-in for Docker that makes up a digest for each image."""
    for path in [ROOT / "deploy/pin.sh", *(path for path in FILES if path.is_relative_to(ROOT / "deploy"))]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return tmp_path / "deploy"


def pin(folder, script):
    docker = folder.parent / "docker"
    docker.write_text(f"#!/bin/sh\nfor image; do :; done\n{script}\n")
    docker.chmod(0o755)
    command = ["sh", str(folder / "pin.sh")]
    environment = {"PATH": f"{folder.parent}:{os.environ['PATH']}"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_pinning_adds_the_digest_of_the_registry_to_every_image_once(copied):
    digest = 'echo "sha256:$(echo "$image" | sha256sum | cut -c1-64)"'
    done = pin(copied, digest)
    assert done.returncode == 0, done.stderr
    pinned = {path: path.read_text("utf-8") for path in copied.rglob("*") if path.is_file()}
    found = [WITH_VARIABLE.sub(r"\2", image) for text in pinned.values() for image in images(text)]
    foreign = {image for image in found if image.partition(":")[0] not in OWN}
    assert len(foreign) == 6
    assert [image for image in found if problem_of(image)] == []
    assert [image for image in foreign if not re.search(r"@sha256:[0-9a-f]{64}$", image)] == []
    assert pin(copied, digest).returncode == 0
    assert {path: path.read_text("utf-8") for path in pinned} == pinned


def test_pinning_changes_nothing_when_the_registry_says_no(copied):
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    for script in ("echo 'no such manifest' >&2; exit 1", "echo ''", "echo sha256:abc"):
        assert pin(copied, script).returncode != 0
    assert {path: path.read_bytes() for path in before} == before
