"""Data of charts. ``dashboard.js`` converts their times to labels, hours in the viewer's time zone."""

from __future__ import annotations

import json
from typing import Any, Final

FEW_POINTS: Final = 12
"""The maximum number of values that a chart draws as dots, because a line through so few values shows little."""

SHOWN_POINTS: Final = {"pointStyle": "circle", "pointRadius": 4, "spanGaps": True}


def chart(labels: list[str], *lines: tuple[str, list[Any], str]) -> dict[str, str]:
    """Return the data of a chart as JSON, and its summary for screen readers. ``labels`` are times; a line is a name,
    its values and its color."""
    has_few = max(sum(value is not None for value in data) for _, data, _ in lines) <= FEW_POINTS
    sets = [
        {
            "label": name,
            "data": data,
            **(SHOWN_POINTS if has_few else {}),
            "borderColor": colour,
            "backgroundColor": colour,
            "displayYAxis": True,
            # Draw the bars side by side. By default, unfold draws one bar in front of the other.
            "grouped": len(lines) > 1,
        }
        for name, data, colour in lines
    ]
    summary = "; ".join(_summary(name, [value for value in data if value is not None]) for name, data, _ in lines)
    return {"data": json.dumps({"labels": labels, "datasets": sets}), "summary": summary}


def _summary(name: str, values: list[Any]) -> str:
    """Return a summary of the data as text, for screen readers."""
    if not values:
        return f"{name}: no data yet"
    return f"{name}: from {min(values)} to {max(values)}, last {values[-1]}"
