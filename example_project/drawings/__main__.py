"""``python -m drawings``: draw all pictures again."""

from __future__ import annotations

from pathlib import Path

from drawings import draw
from drawings.pictures import PICTURES

FOLDER = Path(__file__).resolve().parents[1] / "demo" / "pictures"


def main() -> None:
    for name, picture in PICTURES.items():
        (FOLDER / f"{name}.webp").write_bytes(draw(picture))
    print(f"{len(PICTURES)} pictures in {FOLDER}.")  # noqa: T201


if __name__ == "__main__":
    main()
