"""Django's admin application, with the site of this project as ``admin.site``."""

from __future__ import annotations

from django.contrib.admin import apps


class AdminConfig(apps.AdminConfig):
    default_site = "mirrors.accounts.site.RoleAdminSite"
