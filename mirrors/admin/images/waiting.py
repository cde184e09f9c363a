"""Texts about when a queued copy starts and which rate limit it waits for, on the pages of jobs and mappings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html

from mirrors.models import ImageMapping, JobStatus, MirrorJob
from mirrors.templatetags.humanise import when


def starts_at(job: MirrorJob) -> datetime | None:
    """Return the time from which a queued job can start; None if it is not queued. Busy workers and rate limits delay
    it."""
    return job.available_at if job.status == JobStatus.PENDING else None


def next_attempt(job: MirrorJob | None, limited: Any = None, *, is_short: bool = False) -> str:
    """Return when a queued job starts; empty if it is not queued. ``limited`` is the row with ``free_hosts.limits``, if
    that is not the job. The short form shows the host on hover."""
    at = starts_at(job) if job else None
    if job is None or at is None:
        return ""
    if at > timezone.now():
        return when(at)
    if host := getattr(limited or job, "limited_host", None):
        if is_short:
            return format_html('<span title="{}">after a rate limit</span>', f"{host} is rate limited")
        return format_html("after a rate limit of {}{}", host, _until(limited or job))
    return f"by a worker of {job.needs_cluster}" if job.needs_cluster else "now"


def limit_text(mapping: ImageMapping) -> str:
    """Return the rate limit that a queued copy of the image waits for; empty if there is none."""
    host = getattr(mapping, "limited_host", None)
    return format_html("{} is rate limited{}", host, _until(mapping)) if host else ""


def _until(limited: Any) -> str:
    at: datetime | None = limited.limited_until
    return format_html(", retry {}", when(at)) if at else ""
