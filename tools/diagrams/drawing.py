"""Boxes and arrows as SVG text. Each picture has its own background, so that it is readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

STYLE = """
  .panel { fill: #ffffff } .frame { fill: none; stroke: #4a63b8; stroke-dasharray: 5 4 }
  .own { fill: #e8eefc; stroke: #4a63b8 } .other { fill: #f1f3f6; stroke: #7b8291 }
  .arrow { fill: none; stroke: #4b5263; stroke-width: 1.5 } .head { fill: #4b5263 }
  text { fill: #1c2130; font: 13px sans-serif; text-anchor: middle }
  .title { font-weight: bold; font-size: 14px } .label { font-size: 12px } .start { text-anchor: start }
  @media (prefers-color-scheme: dark) {
    .panel { fill: #1b1e26 } .frame { stroke: #8ea5f0 }
    .own { fill: #27325a; stroke: #8ea5f0 } .other { fill: #2b2f39; stroke: #8f96a6 }
    .arrow { stroke: #c3c9d6 } .head { fill: #c3c9d6 } text { fill: #e8ebf2 }
  }
"""
LINE = 18
"""The line height in pixels."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with a title and lines below it; ``is_own`` for parts of the product. Sizes are pixels."""

    x: int
    y: int
    width: int
    height: int
    title: str
    lines: Sequence[str] = ()
    is_own: bool = True

    def svg(self) -> str:
        kind = "own" if self.is_own else "other"
        middle, top = self.x + self.width // 2, self.y + self.height // 2 + 5 - LINE * len(self.lines) // 2
        texts = [_text(middle, top, self.title, "title")]
        texts += [_text(middle, top + LINE * number, line) for number, line in enumerate(self.lines, 1)]
        shape = f'<rect class="{kind}" x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="6"/>'
        return "\n".join([shape, *texts])


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line through points, with an arrowhead at its end. The label is centred at ``at``."""

    points: Sequence[tuple[int, int]]
    label: str = ""
    at: tuple[int, int] = (0, 0)

    def svg(self) -> str:
        points = " ".join(f"{x},{y}" for x, y in self.points)
        line = f'<polyline class="arrow" marker-end="url(#head)" points="{points}"/>'
        return "\n".join([line, _text(*self.at, self.label, "label")] if self.label else [line])


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture. ``description`` is its text alternative for users who do not see it."""

    width: int
    height: int
    description: str
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    frames: Sequence[Box] = field(default=())

    def svg(self) -> str:
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" role="img"'
            f' width="{self.width}" height="{self.height}">',
            f"<title>{escape(self.description)}</title>",
            f"<style>{STYLE}</style>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
            ' orient="auto"><path class="head" d="M0 0 8 4 0 8z"/></marker></defs>',
            f'<rect class="panel" width="{self.width}" height="{self.height}" rx="8"/>',
            *map(_frame, self.frames),
            *(arrow.svg() for arrow in self.arrows),
            *(box.svg() for box in self.boxes),
            "</svg>\n",
        ]
        return "\n".join(parts)


def _frame(box: Box) -> str:
    shape = f'<rect class="frame" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="8"/>'
    return f"{shape}\n{_text(box.x + 12, box.y + 20, box.title, 'title start')}"


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{attribute}>{escape(text)}</text>'
