"""Django's application of the admin, with our site for everybody who says ``admin.site``."""

from __future__ import annotations

from django.contrib.admin import apps


class AdminConfig(apps.AdminConfig):
    default_site = "mirrors.accounts.site.RoleAdminSite"
