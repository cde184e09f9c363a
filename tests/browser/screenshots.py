"""``make screenshots``: save pictures of the pages with made-up data to docs/images/. Names limit it to these pictures.

Each picture is a line in ``PICTURES``. Only pictures that README and docs show are committed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.browser.chromium import running_chromium
from tests.browser.pages import ROWS
from tests.browser.sites import Site, seeded_site
from tests.browser.visits import DESK, PHONE, Role, Visitors
from tests.support import run
from tests.support.databases import ROOT
from tests.support.postgres import running_server
from tests.support.system import run_manage

IMAGES: Final = ROOT / "docs" / "images"


@dataclass(frozen=True, slots=True)
class Picture:
    """A page by its path, or with ``first_row`` the page behind the first link of that list."""

    name: str
    path: str
    dark: bool = False
    size: tuple[int, int] = DESK
    role: Role = "admin"
    first_row: bool = False
    whole: bool = False
    """Whether the picture shows the whole page, not only the part in the window."""


PICTURES: Final = (
    Picture("sign-in", "/admin/login/", role=""),
    Picture("dashboard", "/admin/", whole=True),
    Picture("dashboard-dark", "/admin/", dark=True, whole=True),
    Picture("dashboard-phone", "/admin/", size=PHONE, whole=True),
    Picture("mappings", "/admin/mirrors/imagemapping/"),
    Picture("mappings-dark", "/admin/mirrors/imagemapping/", dark=True),
    Picture("mappings-phone", "/admin/mirrors/imagemapping/", size=PHONE),
    Picture("mapping", "/admin/mirrors/imagemapping/", first_row=True, whole=True),
    Picture("jobs", "/admin/mirrors/mirrorjob/"),
    Picture("jobs-failed", "/admin/mirrors/mirrorjob/?status__exact=failed"),
    Picture("jobs-phone", "/admin/mirrors/mirrorjob/", size=PHONE),
    Picture("job-failed", "/admin/mirrors/mirrorjob/?status__exact=failed", first_row=True, whole=True),
    Picture("job-running", "/admin/mirrors/mirrorjob/?status__exact=running", first_row=True, whole=True),
    Picture("filters", "/admin/mirrors/filter/"),
    Picture("filter", "/admin/mirrors/filter/", first_row=True),
    Picture("filter-try", "/admin/mirrors/filter/try/", whole=True),
    Picture("registries", "/admin/mirrors/registry/"),
    Picture("registry", "/admin/mirrors/registry/?role__exact=source", first_row=True),
    Picture("repositories", "/admin/mirrors/targetrepository/"),
    Picture("workloads", "/admin/mirrors/imageuse/"),
    Picture("private-images", "/admin/mirrors/imagemapping/?access=private"),
    Picture("admissions", "/admin/mirrors/admissionsample/"),
    Picture("explain", "/admin/explain/", whole=True),
    Picture("activity", "/admin/mirrors/operatoraction/"),
    Picture("change-history", "/admin/auditlog/logentry/"),
    Picture("decisions", "/admin/mirrors/decisioncount/"),
    Picture("attempts", "/admin/mirrors/mirrorattempt/?finished_at_from_0=2026-01-01"),
    Picture("attempt", "/admin/mirrors/mirrorattempt/", first_row=True),
    Picture("rate-limits", "/admin/mirrors/hostbudget/"),
    Picture("admission", "/admin/mirrors/admissionsample/", first_row=True, whole=True),
    Picture("processes", "/admin/mirrors/instance/"),
    Picture("sign-ins", "/admin/axes/accesslog/"),
    Picture("users", "/admin/auth/user/"),
    Picture("roles", "/admin/auth/group/"),
    Picture("tokens", "/admin/accounts/apitoken/"),
    Picture("my-tokens", "/admin/accounts/apitoken/own/"),
    Picture("explain-sample", "/admin/explain/?sample=1", whole=True),
    Picture("target", "/admin/mirrors/registry/?role__exact=target", first_row=True, whole=True),
    Picture("running-images", "/admin/mirrors/runningimage/"),
    Picture("running-images-phone", "/admin/mirrors/runningimage/", size=PHONE),
    Picture("readiness", "/admin/mirrors/readinesssample/", whole=True),
    Picture("readiness-dark", "/admin/mirrors/readinesssample/", dark=True, whole=True),
    Picture("failing-pulls", "/admin/mirrors/pullfailure/"),
    Picture("failing-pull", "/admin/mirrors/pullfailure/", first_row=True, whole=True),
    Picture("backfill", "/admin/mirrors/backfillrun/", whole=True),
    Picture("clusters", "/admin/mirrors/cluster/"),
    Picture("api", "/api/docs/"),
)


def take(visitors: Visitors, site: Site, picture: Picture, directory: Path) -> Path:
    """Take one picture. All pictures of a role share its session and its state."""
    page = visitors.visit(site, picture.role, size=picture.size, dark=picture.dark).open(picture.path)
    if picture.first_row:
        page.locator(ROWS).first.click()
        page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    page.wait_for_load_state("networkidle")
    file = directory / f"{picture.name}.png"
    page.screenshot(path=file, full_page=picture.whole, animations="disabled", caret="hide")
    visitors.leave()
    return file


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="of the pictures to take; all of them if none is given"
    )
    parser.add_argument("--directory", type=Path, default=IMAGES)
    options = parser.parse_args(arguments)
    wanted = [picture for picture in PICTURES if not options.names or picture.name in options.names]
    if missing := set(options.names) - {picture.name for picture in wanted}:
        sys.exit(f"There is no picture {', '.join(sorted(missing))}: see PICTURES in tests/browser/screenshots.py.")
    options.directory.mkdir(parents=True, exist_ok=True)
    run.prepare()
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="swapper-screenshots-"))
        site = stack.enter_context(seeded_site(stack.enter_context(running_server()), Path(directory)))
        shell = "from tests.support.operators_cluster import write_cluster; write_cluster()"
        run_manage("shell", "-c", shell, environment=site.webhook.environment)
        visitors = Visitors(stack.enter_context(running_chromium()))
        for picture in wanted:
            file = take(visitors, site, picture, options.directory)
            print(f"{file} {file.stat().st_size // 1024} KiB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
