"""The menu of every page, in the order in which operators need it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

PRIVATE_IMAGES = "imagemapping?access=private"
SECTIONS = (
    ("Images", (("Mappings", "imagemapping", "swap_horiz"), ("Jobs", "mirrorjob", "content_copy"))),
    (
        "Usage",
        (
            ("Workloads", "imageuse", "deployed_code"),
            ("Private images", PRIVATE_IMAGES, "lock"),
            ("Pull secrets", "mappingaccess", "passkey"),
            ("Admissions", "admissionsample", "how_to_reg"),
        ),
    ),
    (
        "Cluster",
        (
            ("Running images", "runningimage", "deployed_code_history"),
            ("Backfill", "backfillrun", "cloud_download"),
            ("Readiness", "readinesssample", "health_and_safety"),
            ("Failing pulls", "pullfailure", "cloud_off"),
            ("Target health", "targethealth", "monitor_heart"),
            ("Restart loops", "restartloop", "sync_problem"),
            ("Clusters", "cluster", "hub"),
            ("Nodes", "clusternode", "host"),
        ),
    ),
    (
        "Configuration",
        (
            ("Filters", "filter", "filter_alt"),
            ("Registries", "registry", "dns"),
            ("Target repositories", "targetrepository", "folder"),
        ),
    ),
    (
        "System",
        (
            ("Decisions", "decisioncount", "fact_check"),
            ("Activity", "operatoraction", "manage_history"),
            ("Attempts", "mirrorattempt", "history"),
            ("Rate limits", "hostbudget", "hourglass_empty"),
            ("Processes", "instance", "memory"),
        ),
    ),
)

ACCESS = (
    ("My API tokens", "mirrors.view_mirrorjob", "admin:accounts_apitoken_own", "vpn_key"),
    ("Users", "auth.view_user", "admin:auth_user_changelist", "person"),
    ("Roles", "auth.view_group", "admin:auth_group_changelist", "group"),
    ("API tokens", "accounts.view_apitoken", "admin:accounts_apitoken_changelist", "key"),
    ("Change history", "auditlog.view_logentry", "admin:auditlog_logentry_changelist", "manage_history"),
    ("Sign-ins", "axes.view_accesslog", "admin:axes_accesslog_changelist", "login"),
    ("Failed sign-ins", "axes.view_accessfailurelog", "admin:axes_accessfailurelog_changelist", "gpp_maybe"),
    ("Locked sign-ins", "axes.view_accessattempt", "admin:axes_accessattempt_changelist", "lock_clock"),
    ("API", "mirrors.view_mirrorjob", "api-docs", "api"),
)


def place_of(url: str) -> tuple[str, str] | None:
    """The section and the name of a list in the menu, by its URL."""
    for section, entries in SECTIONS:
        for name, model, _ in entries:
            if _list(model) == url:
                return section, name
    return next((("Access", name) for name, _, link, _ in ACCESS if reverse(link) == url), None)


def place_of_request(request: HttpRequest) -> tuple[str, str] | None:
    """The same for the list that a request shows: one list has two entries."""
    is_private = request.GET.get("access") == "private"
    return (place_of(f"{request.path}?access=private") if is_private else None) or place_of(request.path)


def sections(request: HttpRequest) -> list[dict[str, Any]]:
    """The entries that this user may see."""
    menu: list[dict[str, Any]] = [
        {"items": [{"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}]},
    ]
    if request.user.has_perm("mirrors.view_imagemapping"):
        menu[0]["items"].append({"title": "Explain a pod", "icon": "help", "link": reverse("explain")})
    for title, entries in SECTIONS:
        items = [
            {"title": name, "icon": icon, "link": _list(model), **_is_active(request, model)}
            for name, model, icon in entries
            if request.user.has_perm(f"mirrors.view_{model.partition('?')[0]}")
        ]
        menu.append({"title": title, "separator": True, "items": items})
    menu.append({"title": "Access", "separator": True, "collapsible": True, "items": _access(request)})
    return [section for section in menu if section["items"]]


def _list(model: str) -> str:
    """The URL of a model's list, with the query after its name if there is one."""
    name, mark, query = model.partition("?")
    return reverse(f"admin:mirrors_{name}_changelist") + mark + query


def _is_active(request: HttpRequest, model: str) -> dict[str, bool]:
    """Say which of the two entries for the list of mappings is active; the menu itself compares only paths."""
    name = model.partition("?")[0]
    if name != "imagemapping":
        return {}
    is_private = request.GET.get("access") == "private"
    is_there = request.path.startswith(reverse("admin:mirrors_imagemapping_changelist"))
    return {"active": is_there and is_private == (model == PRIVATE_IMAGES)}


def _access(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {"title": title, "icon": icon, "link": reverse(link)}
        for title, permission, link, icon in ACCESS
        if request.user.has_perm(permission)
    ]
