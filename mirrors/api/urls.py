"""URLs of the API, its schema and its documentation."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

import mirrors.api.schema  # noqa: F401 (its scheme is known by being imported)
from mirrors.api.views.activity import ActionViewSet
from mirrors.api.views.admissions import AdmissionViewSet
from mirrors.api.views.clusters import ClusterViewSet
from mirrors.api.views.filters import FilterViewSet
from mirrors.api.views.hosts import HostViewSet
from mirrors.api.views.jobs import JobViewSet
from mirrors.api.views.mappings import MappingViewSet
from mirrors.api.views.processes import InstanceViewSet
from mirrors.api.views.registries import RegistryViewSet
from mirrors.api.views.repositories import RepositoryViewSet
from mirrors.api.views.running_images import RunningImageViewSet
from mirrors.api.views.statistics import HealthView, StatsView
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
router.register("tokens", TokenViewSet, basename="token")

urlpatterns = [
    path("v1/", include(router.urls)),
    path("v1/stats/", StatsView.as_view(), name="stats"),
    path("v1/health/", HealthView.as_view(), name="health"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
]
