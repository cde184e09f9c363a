"""The page Readiness: the workloads that could not start without their sources, over time, and a button that mirrors
their missing images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern

from mirrors.admin.clusters import NEEDS_WATCHER
from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.bulk_actions import NAMED_ROWS, ActionResult, show_result
from mirrors.admin.tools.charts import chart
from mirrors.models import ReadinessSample
from mirrors.readiness import missing_images
from mirrors.readiness.drill import DrillRequest, NotListedError
from mirrors.readiness.drill_results import Drill
from mirrors.readiness.gaps import GAP_MEANING, Gap
from mirrors.readiness.recent import recent_drill
from mirrors.readiness.registry_names import RegistryNameError
from mirrors.selectors.clusters.readiness import trend
from mirrors.selectors.clusters.suspensions import disturbed_targets
from mirrors.services import ActionRefusedError
from mirrors.templatetags.banners import cache_targets
from swapper_project.config import Config
from swapper_project.process import configured
from webhook.decision.suspensions import TargetState

ROWS_OF_PAGE: Final = 50
"""The number of rows of a page of the list."""

SHOWN_NAMESPACES: Final = 20
"""The maximum number of namespaces in the table, those with the most unprotected workloads first. The command lists
all."""

OPERATE: Final = "mirrors.change_mirrorjob"
NOT_CONFIGURED: Final = "This process has no usable configuration file, so its target is unknown."


@dataclass(frozen=True, slots=True)
class Choice:
    """The choices in the URL of the page."""

    cluster: str = ""
    without: str = ""
    namespace: str = ""
    reason: str = ""
    list: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Choice:
        return cls(**{name: query.get(name, "")[:260] for name in cls.__slots__})

    def link(self, **changes: str) -> str:
        """Return the query of the page with other choices. Empty choices are omitted."""
        chosen = {**{name: getattr(self, name) for name in self.__slots__}, **changes}
        return "?" + urlencode({name: value for name, value in chosen.items() if value})


@admin.register(ReadinessSample)
class ReadinessSampleAdmin(ReadOnlyAdmin[ReadinessSample]):
    list_display = ["hour", "cluster", "workloads", "unprotected"]
    empty_message = NEEDS_WATCHER
    ordering = ["-id"]
    search_fields = ["cluster"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.mirror_view)
        return [path("mirror/", view, name="mirrors_readinesssample_mirror"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Return the page instead of a list of samples, which the page shows as a chart."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        choice = Choice.of(request.GET)
        config, drill, problem = _run_drill(request, choice)
        context = {
            **self.admin_site.each_context(request),
            "title": "Readiness",
            "opts": self.opts,
            "choice": choice,
            "problem": problem,
            **(_page_context(request, choice, drill) if config and drill else {}),
        }
        return TemplateResponse(request, "admin/mirrors/readiness.html", context)

    def mirror_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for confirmation with the number of images, then request their copies."""
        if not request.user.has_perm(OPERATE):
            raise PermissionDenied
        choice = Choice.of(request.POST if request.method == "POST" else request.GET)
        back = reverse("admin:mirrors_readinesssample_changelist") + choice.link()
        config, drill, problem = _run_drill(request, choice)
        if request.method == "POST":
            show_result(request, _mirror(request, drill, config) if drill and config else ActionResult("", [problem]))
            return HttpResponseRedirect(back)
        images = sorted(missing_images.to_mirror(drill)) if drill else []
        context = {
            **self.admin_site.each_context(request),
            "title": "Mirror missing images",
            "opts": self.opts,
            "choice": choice,
            "problem": problem,
            "count": len(images),
            "most": missing_images.MOST_MIRRORED_AT_ONCE,
            "shown": images[:NAMED_ROWS],
            "more": max(0, len(images) - NAMED_ROWS),
            "back": back,
        }
        return TemplateResponse(request, "admin/mirrors/mirror_missing.html", context)


def _run_drill(request: HttpRequest, choice: Choice) -> tuple[Config | None, Drill | None, str]:
    """Return the configuration, the drill, and the reason why there is no drill."""
    source = configured.source()
    if source is None:
        return None, None, NOT_CONFIGURED
    config = source.current
    drill_request = DrillRequest(choice.cluster or config.cluster_name, choice.without, choice.namespace)
    # Keep the targets, because the banner of the page shows them too.
    disturbed = cache_targets(request, list(disturbed_targets()))
    targets = [TargetState(row.cluster, row.registry, row.state) for row in disturbed]
    try:
        return config, recent_drill(drill_request, config, targets), ""
    except (NotListedError, RegistryNameError) as error:
        return config, None, str(error)


def _mirror(request: HttpRequest, drill: Drill, config: Config) -> ActionResult:
    try:
        result = missing_images.mirror_missing(drill, config, requested_by=request.user.get_username())
    except ActionRefusedError as error:
        return ActionResult("", [str(error)])
    message = f"{result.created} image{'' if result.created == 1 else 's'} queued."
    active = f" {result.active} already had a job." if result.active else ""
    remaining = f" {result.remaining} remain: mirror again to queue them." if result.remaining else ""
    return ActionResult(message + active + remaining, result.refusals)


def _page_context(request: HttpRequest, choice: Choice, drill: Drill) -> dict[str, Any]:
    is_drift = choice.list == "drift"
    rows: list[Any] = list(drill.drift) if is_drift else list(drill.missing_of(gap=choice.reason))
    page = Paginator(rows, ROWS_OF_PAGE).get_page(request.GET.get("p"))
    points = trend(drill.cluster)
    worst = sorted(drill.namespaces.items(), key=lambda entry: (-entry[1].unprotected, entry[0]))
    return {
        "drill": drill,
        "is_drift": is_drift,
        "page": page,
        "pages": [(number, choice.link(p=str(number))) for number in _numbers(page)],
        "clusters": _clusters(choice, drill),
        "registries": [(name, choice.link(without=name), name == drill.without) for name in ("", *drill.registries)],
        "reasons": [_reason(choice, gap, images) for gap, images in drill.gaps.items()],
        "namespaces": [(name, share, choice.link(namespace=name)) for name, share in worst[:SHOWN_NAMESPACES]],
        "more_namespaces": max(0, len(worst) - SHOWN_NAMESPACES),
        "links": {
            "missing": choice.link(list="", reason=""),
            "drift": choice.link(list="drift", reason=""),
            "all_namespaces": choice.link(namespace=""),
            "mirror": reverse("admin:mirrors_readinesssample_mirror") + choice.link(list="", reason=""),
        },
        "to_mirror": len(missing_images.to_mirror(drill)),
        "may_operate": request.user.has_perm(OPERATE),
        "charts": {"readiness": _chart(points)},
        "has_trend": bool(points),
    }


def _clusters(choice: Choice, drill: Drill) -> list[tuple[str, str, bool]]:
    return [(name, choice.link(cluster=name, namespace=""), name == drill.cluster) for name in drill.clusters]


def _reason(choice: Choice, gap: Gap, images: int) -> dict[str, Any]:
    is_chosen = choice.reason == gap
    link = choice.link(list="", reason="" if is_chosen else gap.value)
    return {"name": gap.value, "meaning": GAP_MEANING[gap], "images": images, "link": link, "is_chosen": is_chosen}


def _numbers(page: Any) -> list[int]:
    """Return the numbers of the first page, of the last page, and of the pages near the current one."""
    near = range(max(1, page.number - 3), min(page.paginator.num_pages, page.number + 3) + 1)
    return sorted({1, *near, page.paginator.num_pages}) if page.paginator.num_pages > 1 else []


def _chart(points: Any) -> dict[str, str]:
    times = [sample.hour.isoformat() for sample in points]
    share = [sample.percent for sample in points]
    return chart(times, ("Protected, %", share, "var(--color-primary-600)"))
