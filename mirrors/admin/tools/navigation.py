"""The menu of every page, in the order in which operators need it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from django.http import HttpRequest
from django.urls import get_script_prefix, reverse

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


EXPLAIN = ("Explain a pod", "mirrors.view_imagemapping", "explain", "help")
NAMES_OF_VIEWS = {"admin:index", "explain", *(link for _, _, link, _ in ACCESS)}

MOST_PREFIXES: Final = 4
"""The number of path prefixes of the site whose URLs are cached. There is only one, unless a proxy adds others."""

MOST_URLS: Final = 128
"""The number of cached URLs. The menu has about 30 for each prefix."""


def menu_entry_for(url: str) -> tuple[str, str] | None:
    """Return the section and the name of a list in the menu, by its URL; None if the menu does not have it."""
    return _entries(get_script_prefix()).get(url)


def nearest_menu_entry(path: str) -> tuple[str, str, str] | None:
    """Return the section, the name and the URL of the menu entry whose URL is the longest prefix of the path."""
    entries = _entries(get_script_prefix())
    url = max((url for url in entries if "?" not in url and path.startswith(url)), key=len, default="")
    return (*entries[url], url) if url else None


def menu_entry_of_request(request: HttpRequest) -> tuple[str, str] | None:
    """Return the section and the name of the list that a request shows. The list of mappings has two entries, for all
    images and for private ones."""
    is_private = request.GET.get("access") == "private"
    return (menu_entry_for(f"{request.path}?access=private") if is_private else None) or menu_entry_for(request.path)


def sections(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sections and entries that this user can see, with all values that the template of the menu needs."""
    menu = [_section("", (("Dashboard", "", "admin:index", "dashboard"), EXPLAIN), request)]
    for title, entries in SECTIONS:
        lists = [(name, f"mirrors.view_{model.partition('?')[0]}", model, icon) for name, model, icon in entries]
        menu.append(_section(title, lists, request))
    menu.append({**_section("Access", ACCESS, request), "collapsible": True})
    active = _active_url(request, [item["link"] for section in menu for item in section["items"]])
    for section in menu:
        for item in section["items"]:
            item["active"] = item["link"] == active
        section["active"] = any(item["active"] for item in section["items"])
    return [section for section in menu if section["items"]]


def _section(title: str, entries: Iterable[tuple[str, str, str, str]], request: HttpRequest) -> dict[str, Any]:
    items = [
        {"title": name, "icon": icon, "link": _url(target, get_script_prefix())}
        for name, permission, target, icon in entries
        if not permission or request.user.has_perm(permission)
    ]
    return {"title": title, "collapsible": False, "items": items}


def _active_url(request: HttpRequest, urls: Iterable[str]) -> str:
    """Return the URL of the active entry: the one with the longest path that is a prefix of the request's path. Empty
    if there is none. The list of mappings has two entries, one of which has a query."""
    index = _url("admin:index", get_script_prefix())
    mappings = _url("imagemapping", get_script_prefix())
    is_private = request.GET.get("access") == "private"
    found = ""
    for url in urls:
        path, _, query = url.partition("?")
        is_there = request.path == path if path == index else request.path.startswith(path)
        if is_there and len(path) > len(found) and (path != mappings or bool(query) == is_private):
            found = url
    return found


@lru_cache(maxsize=MOST_URLS)
def _url(target: str, prefix: str) -> str:
    """Return the URL of a view by its name, or of a model's list. The name of a model can be followed by a query."""
    if target in NAMES_OF_VIEWS:
        return reverse(target)
    name, mark, query = target.partition("?")
    return reverse(f"admin:mirrors_{name}_changelist") + mark + query


@lru_cache(maxsize=MOST_PREFIXES)
def _entries(prefix: str) -> dict[str, tuple[str, str]]:
    """Return the section and the name of each entry by its URL."""
    found = {_url(model, prefix): (section, name) for section, entries in SECTIONS for name, model, _ in entries}
    return found | {_url(link, prefix): ("Access", name) for name, _, link, _ in ACCESS}
