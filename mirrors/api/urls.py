"""URLs of the API, its schema and its documentation."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

import mirrors.api.schema  # noqa: F401 (its scheme is known by being imported)
from mirrors.api import views
from mirrors.api.activity import ActionViewSet
from mirrors.api.admissions import AdmissionViewSet
from mirrors.api.filters import FilterViewSet
from mirrors.api.processes import InstanceViewSet
from mirrors.api.rate_limits import HostViewSet
from mirrors.api.registries import RegistryViewSet
from mirrors.api.repositories import RepositoryViewSet
from mirrors.api.statistics import HealthView, StatsView
from mirrors.api.workloads import UseViewSet

router = SimpleRouter()
router.register("mappings", views.MappingViewSet)
router.register("jobs", views.JobViewSet)
router.register("filters", FilterViewSet)
router.register("registries", RegistryViewSet)
router.register("uses", UseViewSet)
router.register("repositories", RepositoryViewSet)
router.register("hosts", HostViewSet)
router.register("actions", ActionViewSet)
router.register("instances", InstanceViewSet)
router.register("admissions", AdmissionViewSet)

urlpatterns = [
    path("v1/", include(router.urls)),
    path("v1/stats/", StatsView.as_view(), name="stats"),
    path("v1/health/", HealthView.as_view(), name="health"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
]
