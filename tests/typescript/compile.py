"""Compile the client of docs/howto/orders-typescript.md with types that are generated from tests/openapi.json.

``python tests/typescript/compile.py`` needs node and npm, and writes into ``build/``. ``node run.mjs SITE`` then shops
on a running shop with it.
"""

import re
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER.parents[1] / "docs/howto/orders-typescript.md"
BUILD = FOLDER / "build"
CODE = re.compile(
    r"^```\{code-block\} typescript\n:caption: (?P<name>\S+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
COMMAND = re.compile(r"^npx openapi-typescript \S+ (?P<options>.*) --output shop-api\.ts$", re.MULTILINE)


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir()
    for found in CODE.finditer(page):
        (BUILD / found["name"]).write_text(found["code"], encoding="utf-8")
    shutil.copy(FOLDER / "misuse.ts", BUILD)
    run("npm", "ci", "--silent", "--no-audit", "--no-fund", "--prefer-offline")
    options = COMMAND.search(page)["options"].split()
    run("npx", "openapi-typescript", "../openapi.json", *options, "--output", "build/shop-api.ts")
    run("npx", "tsc")


def run(*command: str) -> None:
    subprocess.run(command, cwd=FOLDER, check=True)


if __name__ == "__main__":
    main()
