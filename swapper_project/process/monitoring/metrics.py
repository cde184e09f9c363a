"""All Prometheus metrics, and the view that exposes those of one role."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from django.http import HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from swapper_project.process.monitoring.metrics_files import exposition


class PublishedGauge(Gauge):
    """A gauge without labels that is not exposed before it has been set: an initial 0 would be wrong, and could cause
    an alert."""

    def _metric_init(self) -> None:
        self._is_published = False

    def set(self, value: float) -> None:
        if not self._is_published:
            super()._metric_init()
            self._is_published = True
        super().set(value)

    def collect(self) -> Iterable[Metric]:
        return super().collect() if self._is_published else ()


# Admission, on webhooks.
ADMISSIONS: Final = Counter(
    "swapper_admission_requests_total", "Completed reviews, by operation and outcome.", ["operation", "outcome"]
)
ADMISSION_SECONDS: Final = Histogram(
    "swapper_admission_duration_seconds",
    "Time from the arrival of a review to its response.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
IMAGES: Final = Counter("swapper_images_total", "Images decided on, by decision and reason.", ["decision", "reason"])
FILTER_ERRORS: Final = Counter("swapper_filter_errors_total", "Evaluations of a filter that failed.", ["filter"])
EXISTENCE_LOOKUPS: Final = Counter(
    "swapper_existence_lookups_total",
    "Lookups of images at the target: present, absent or unknown, by database or registry.",
    ["answer", "source"],
)
EXISTENCE_STALE_SECONDS: Final = PublishedGauge(
    "swapper_existence_stale_seconds",
    "Age of the oldest result older than maxAge that images were swapped by in the last minute.",
    multiprocess_mode="livemax",
)
BREAKER_OPEN: Final = Gauge(
    "swapper_breaker_open",
    "1 while the webhook sends no requests to a registry because it does not respond.",
    ["host"],
    multiprocess_mode="livemax",
)
WAITERS: Final = Gauge(
    "swapper_waiters", "Reviews that wait for database, registry or a copy now.", multiprocess_mode="livesum"
)
STORE_OVERFLOWS: Final = Counter(
    "swapper_store_overflows_total", "Uses, counts and results that were dropped because the buffers were full."
)
DATABASE_AVAILABLE: Final = PublishedGauge(
    "swapper_database_available", "1 while the webhook can query the database.", multiprocess_mode="livemin"
)
CERTIFICATE_EXPIRY: Final = PublishedGauge(
    "swapper_webhook_certificate_expiry_seconds",
    "Seconds until the certificate in use expires.",
    multiprocess_mode="livemin",
)
CERTIFICATE_PROBLEM: Final = PublishedGauge(
    "swapper_webhook_certificate_problem",
    "1 while the certificate files cannot be used and the last valid pair stays in use, or the pair in use has "
    "expired.",
    multiprocess_mode="livemax",
)
CONFIG_PROBLEM: Final = PublishedGauge(
    "swapper_config_problem",
    "1 while the configuration file cannot be used and the last valid version stays active.",
    multiprocess_mode="livemax",
)
DRY_RUN: Final = PublishedGauge("swapper_dry_run", "1 while dryRun is configured.", multiprocess_mode="livemax")
SWAP_ENABLED: Final = PublishedGauge(
    "swapper_swap_enabled", "0 while swapping is switched off.", multiprocess_mode="livemin"
)

# Copies, on workers; requests to registries on webhooks too.
JOB_ATTEMPTS: Final = Counter(
    "swapper_job_attempts_total", "Finished copy attempts, by outcome and error class.", ["outcome", "error"]
)
COPY_BYTES: Final = Counter(
    "swapper_copy_bytes_total", "Bytes of layers that were copied, mounted, or already at the target.", ["kind"]
)
COPY_SECONDS: Final = Histogram(
    "swapper_copy_duration_seconds",
    "Duration of successful copies.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800),
)
REGISTRY_REQUESTS: Final = Counter(
    "swapper_registry_requests_total",
    "Requests to registries by status, 0 without a response; hosts that are not configured are `other`.",
    ["host", "method", "code"],
)

# The cluster, on watchers.
WATCHER_LEADS: Final = PublishedGauge(
    "swapper_watcher_leads",
    "1 while this watcher reads its cluster, 0 while another one does.",
    multiprocess_mode="livemax",
)
WATCHER_PROBLEM: Final = PublishedGauge(
    "swapper_watcher_problem",
    "1 while objects of the cluster cannot be read, or running images cannot be recorded.",
    multiprocess_mode="livemax",
)
CLUSTER_REQUESTS: Final = Counter(
    "swapper_cluster_requests_total",
    "List and watch requests to the API server, by verb and resource.",
    ["verb", "resource"],
)

METRICS_BY_ROLE: Final[Mapping[str, tuple[MetricWrapperBase, ...]]] = {
    "webhook": (
        ADMISSIONS,
        ADMISSION_SECONDS,
        IMAGES,
        FILTER_ERRORS,
        EXISTENCE_LOOKUPS,
        EXISTENCE_STALE_SECONDS,
        BREAKER_OPEN,
        WAITERS,
        STORE_OVERFLOWS,
        DATABASE_AVAILABLE,
        CERTIFICATE_EXPIRY,
        CERTIFICATE_PROBLEM,
        CONFIG_PROBLEM,
        DRY_RUN,
        SWAP_ENABLED,
        REGISTRY_REQUESTS,
    ),
    "watcher": (WATCHER_LEADS, WATCHER_PROBLEM, CLUSTER_REQUESTS),
    "worker": (JOB_ATTEMPTS, COPY_BYTES, COPY_SECONDS, REGISTRY_REQUESTS),
    # The web process runs the webhook's code to explain pods, which counts too. Its own metrics are from the database.
    "web": (),
}
"""The metrics that each role exposes. All processes load all metrics, so those of other roles would be 0."""


def request_counter(label: Callable[[str], str]) -> Callable[[str, str, int], None]:
    """Return a callback for the copy engine, which calls it with method, host and status of each exchange. ``label``
    returns the label of a host."""

    def count(method: str, host: str, status: int) -> None:
        REGISTRY_REQUESTS.labels(label(host), method, str(status)).inc()

    return count


def text(role: str, *collectors: Collector) -> bytes:
    """Return the metrics of a role and of the collectors in Prometheus's text format."""
    names = {family.name for metric in METRICS_BY_ROLE[role] for family in metric.describe()}
    return exposition(names, *collectors)


def page(role: str, *collectors: Collector) -> HttpResponse:
    """Return the metrics of a role and of the collectors as a response."""
    return HttpResponse(text(role, *collectors), content_type=CONTENT_TYPE_LATEST)
