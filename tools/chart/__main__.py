"""``python -m tools.chart [--check]``."""

from __future__ import annotations

import sys

from tools.chart.generated import CHART, outdated, write


def main() -> int:
    if "--check" not in sys.argv[1:]:
        write()
        return 0
    for name in (names := outdated()):
        print(f"{CHART / name} is out of date. Run: python -m tools.chart", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
