"""Prometheus metrics, and the page that shows them."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

ADMISSIONS: Final = Counter(
    "swapper_admission_requests_total", "Reviews answered, by operation and outcome.", ["operation", "outcome"]
)
ADMISSION_SECONDS: Final = Histogram(
    "swapper_admission_duration_seconds",
    "Time from a review's arrival to its answer.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
IMAGES: Final = Counter("swapper_images_total", "Images decided on, by decision and reason.", ["decision", "reason"])
FILTER_ERRORS: Final = Counter("swapper_filter_errors_total", "Evaluations of a filter that failed.", ["filter"])


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
