"""URLs of the API, its schema and its documentation."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

import mirrors.api.schema  # noqa: F401 (its scheme is known by being imported)
from mirrors.api.views.activity import ActionViewSet
from mirrors.api.views.admissions import AdmissionViewSet
from mirrors.api.views.backfill import BackfillImageViewSet, BackfillViewSet
from mirrors.api.views.clusters import ClusterNodeViewSet, ClusterViewSet
from mirrors.api.views.filters import FilterViewSet
from mirrors.api.views.hosts import HostViewSet
from mirrors.api.views.jobs import JobViewSet
from mirrors.api.views.mappings import MappingViewSet
from mirrors.api.views.processes import InstanceViewSet
from mirrors.api.views.pull_failures import PullFailureViewSet
from mirrors.api.views.readiness import MirrorMissingView, ReadinessView
from mirrors.api.views.registries import RegistryViewSet
from mirrors.api.views.repositories import RepositoryViewSet
from mirrors.api.views.running_images import RunningImageViewSet
from mirrors.api.views.statistics import HealthView, StatsView
from mirrors.api.views.suspensions import RestartLoopViewSet, TargetHealthViewSet
from mirrors.api.views.tokens import TokenViewSet
from mirrors.api.views.workloads import UseViewSet

router = SimpleRouter()
router.register("mappings", MappingViewSet)
router.register("jobs", JobViewSet)
router.register("filters", FilterViewSet)
router.register("registries", RegistryViewSet)
router.register("uses", UseViewSet)
router.register("repositories", RepositoryViewSet)
router.register("hosts", HostViewSet)
router.register("actions", ActionViewSet)
router.register("instances", InstanceViewSet)
router.register("admissions", AdmissionViewSet)
router.register("running-images", RunningImageViewSet, basename="running-image")
router.register("clusters", ClusterViewSet)
router.register("nodes", ClusterNodeViewSet)
router.register("pull-failures", PullFailureViewSet)
router.register("target-health", TargetHealthViewSet)
router.register("restart-loops", RestartLoopViewSet)
router.register("backfill", BackfillViewSet)
router.register("backfill-images", BackfillImageViewSet)
router.register("tokens", TokenViewSet, basename="token")

urlpatterns = [
    path("v1/", include(router.urls)),
    path("v1/stats/", StatsView.as_view(), name="stats"),
    path("v1/health/", HealthView.as_view(), name="health"),
    path("v1/readiness/", ReadinessView.as_view(), name="readiness"),
    path("v1/readiness/mirror/", MirrorMissingView.as_view(), name="readiness-mirror"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
]
