"""URLs of the webhook role. Paths must match exactly: there are no redirects."""

from __future__ import annotations

from django.urls import path

from webhook.http import views

urlpatterns = [
    path("", views.RootView.as_view()),
    path("webhook", views.AdmissionView.as_view()),
    path("webhook/<str:token>", views.AdmissionView.as_view()),
    path("livez", views.livez),
    path("readyz", views.readyz),
    path("metrics", views.metrics_page),
]
handler404 = views.not_found
handler500 = views.server_error
