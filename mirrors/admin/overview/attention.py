"""The list of problems that need the attention of an operator, each with a link and an action."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse

from mirrors.admin.tools import links
from mirrors.models import ErrorClass
from mirrors.selectors.jobs.advice import advice_for, waiting_advice_for
from mirrors.selectors.overview.statistics import Overview

EXPIRES_SOON_DAYS: Final = 14
"""Days before its expiry from which a certificate is listed. Certificates are renewed earlier, unless something
prevents it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the list. ``link`` opens ``count`` rows; ``until`` is when the problem ends, or when the certificate
    expires."""

    title: str
    link: str
    count: int | None = None
    text: str = ""
    until: datetime | None = None
    action: str = ""
    action_link: str = ""


def attention_entries(
    overview: Overview, stats: dict[str, Any], images: Mapping[str, int], tests: Sequence[Any]
) -> list[Entry]:
    """Return the entries, the most serious first. ``tests`` contains the registries as the page shows them."""
    return [
        *_processes(overview, stats),
        *_retries(overview.facts.retries or ()),
        *_failures(overview),
        *_blocked(images),
        *_registries(tests),
        *_rate_limits(stats["resting_hosts"]),
        *_repositories(overview),
    ]


def _processes(overview: Overview, stats: dict[str, Any]) -> Iterator[Entry]:
    processes = reverse("admin:mirrors_instance_changelist")
    if not stats["has_webhook"]:
        text = "No webhook is running: no pod is swapped. Start a webhook (manage.py webhook) or check its log."
        yield Entry("No webhook", processes, text=text, action="Processes", action_link=processes)
    if stats["jobs"]["pending"] and not stats["has_worker"]:
        text = "Jobs are queued but no worker is running, so nothing is copied. Start a worker (manage.py worker) or "
        yield Entry("No worker", processes, text=f"{text}check its log.", action="Processes", action_link=processes)
    days = days_until(stats["certificate_expires_at"], overview.now)
    if days is not None and days < EXPIRES_SOON_DAYS:
        text = (
            "The API server does not call a webhook whose certificate has expired. Renew it (manage.py webhook_certs)."
        )
        at = stats["certificate_expires_at"]
        yield Entry("Certificate expires", processes, None, text, at, "Processes", processes)


def _failures(overview: Overview) -> Iterator[Entry]:
    """Yield failed jobs by error type, the most frequent first, without those that a later job of the image has
    followed."""
    last = {"last": "yes", **links.time_range_from("finished_at", overview.since)}
    retry = reverse("admin:mirrors_mirrorjob_retry_failed")
    for failed in overview.facts.failures or ():
        name, jobs = failed["error_class"], failed["jobs"]
        link = links.jobs(status__exact="failed", error_class__exact=name, **last)
        title = f"Failed jobs: {_error_text(name)}"
        yield Entry(title, link, jobs, advice_for(name), None, "Retry …", f"{retry}?{urlencode({'error_class': name})}")


def _retries(retries: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    """Yield jobs that wait for their next attempt, and fail after their last one if the error is not resolved."""
    for retry in retries:
        host, error_class, cluster = retry["error_host"], retry["error_class"], retry["needs_cluster"]
        of_cluster = {"needs_cluster__exact": cluster} if cluster else {}
        link = links.jobs(status__exact="pending", error_class__exact=error_class, error_host=host, **of_cluster)
        title = f"Waiting for the next attempt: {_error_text(error_class)} at {host}"
        text = waiting_advice_for(error_class)
        if cluster:
            title = f"Waiting for a worker of cluster {cluster}: images at {host}"
            text = (
                f"No other worker can read or copy them. Start one in {cluster}, or configure credentials for {host}."
            )
        yield Entry(title, link, retry["jobs"], text, None, "Review", link)


def _error_text(error_class: str) -> str:
    """Return an error type as it is written within a title."""
    label = str(dict(ErrorClass.choices).get(error_class, error_class))
    return label if label.isupper() else label.lower()


def _blocked(images: Mapping[str, int]) -> Iterator[Entry]:
    if images["obstacle"]:
        link = links.mappings(state="obstacle")
        text = "Pods run these images from their sources. Compare source and target, then copy the image again."
        yield Entry("Blocked images", link, images["obstacle"], text, None, "Review", link)


def _registries(tests: Sequence[Any]) -> Iterator[Entry]:
    for registry in tests:
        if registry["test"] == "failed":
            link = f"{registry['link']}#swapper-test"
            of_cluster = f" ({registry['clusters']})" if registry["clusters"] else ""
            yield Entry(f"Test of {registry['name']}{of_cluster} failed", link, None, "", None, "Show the test", link)


def _rate_limits(resting: dict[str, datetime]) -> Iterator[Entry]:
    for host, until in resting.items():
        link = f"{reverse('admin:mirrors_hostbudget_changelist')}?{urlencode({'host__exact': host})}"
        resume = f"{reverse('admin:mirrors_hostbudget_resume')}?{urlencode({'host': host})}"
        yield Entry(host, link, until=until, action="Resume …", action_link=resume)


def _repositories(overview: Overview) -> Iterator[Entry]:
    if overview.facts.differing:
        link = reverse("admin:mirrors_targetrepository_changelist") + "?has_differences__exact=1"
        text = (
            "The settings of these target repositories differ from the configuration. Open the list and apply the "
            "configured settings."
        )
        yield Entry("Repository differences", link, overview.facts.differing, text, None, "Review", link)


def days_until(at: datetime | None, now: datetime) -> int | None:
    """Return the number of whole days until a time."""
    return None if at is None else int((at - now).total_seconds() // 86_400)
