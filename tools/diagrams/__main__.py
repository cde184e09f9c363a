"""Writes the diagrams of the documentation."""

from __future__ import annotations

from pathlib import Path

from tools.diagrams.pictures import PICTURES

DIRECTORY = Path(__file__).resolve().parents[2] / "docs/images"


def main() -> None:
    for name, picture in PICTURES.items():
        (DIRECTORY / name).write_text(picture.svg())


if __name__ == "__main__":
    main()
