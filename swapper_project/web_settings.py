"""Settings that only the web role and commands use: API, admin, sign-ins, change history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

STATIC: Final = "/static/mirrors/"


@dataclass(frozen=True, slots=True)
class StaticPath:
    """A path as a function of the request, because unfold would try to import a string, on each page again."""

    path: str

    def __call__(self, request: Any) -> str:
        return self.path


LOGIN_REDIRECT_URL = "admin:index"
LOGOUT_REDIRECT_URL = "admin:login"
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "mirrors.accounts.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["mirrors.api.permissions.ByRole"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["mirrors.api.requests.parsers.SafeJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "mirrors.api.pagination.Pages",
    "DEFAULT_FILTER_BACKENDS": [
        "mirrors.api.requests.field_filters.AllowedValues",
        "mirrors.api.requests.searching.ImageSearch",
        "mirrors.api.requests.parameters.KnownOrdering",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["mirrors.api.rate_limits.RequestLimit"],
    "EXCEPTION_HANDLER": "mirrors.api.problem_details.handle",
}
KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105
# knox's own token table would stay empty, because this project has its own token model.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {"TOKEN_TTL": timedelta(days=90), "TOKEN_PREFIX": "swp_"}
# No external resources and no inline scripts.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "k8s-image-swapper",
    "SITE_HEADER": "Image swapper",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": f"{STATIC}favicon.svg"}],
    "SITE_SYMBOL": "swap_horiz",
    # The admin is the whole site: "/" redirects to it.
    "SITE_URL": None,
    "STYLES": [StaticPath(f"{STATIC}{name}.css") for name in ("site", "pages")],
    "SCRIPTS": [
        StaticPath(f"{STATIC}{name}.js") for name in ("times", "reading", "ranges", "live", "lists", "copy", "search")
    ],
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "mirrors.admin.overview.dashboard.context",
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "mirrors.admin.tools.navigation.sections",
    },
}
SPECTACULAR_SETTINGS = {
    "TITLE": "k8s-image-swapper",
    "DESCRIPTION": "Mirrored images, jobs, filters and registries, and actions on them.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "PullCauseEnum": "mirrors.models.clusters.pull_failures.CAUSES",
        "PullSideEnum": "mirrors.models.clusters.pull_failures.SIDES",
        "BackfillImageStateEnum": "mirrors.models.BackfillImageState",
        "BackfillStateEnum": "mirrors.models.BackfillState",
        "MappingStateEnum": "mirrors.selectors.images.mapping_states.STATE_CHOICES",
        "RunningStateEnum": "mirrors.models.clusters.clusters.RunningState.choices",
        "ProcessStateEnum": [("running", "running"), ("stopped", "stopped")],
        "TokenRoleEnum": "mirrors.accounts.roles.ROLE_NAMES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "mirrors.api.schema.add_problems",
        "mirrors.api.schema.drop_limits_of_answers",
    ],
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# Failed sign-ins: five from one address with one username cause a lock, which further attempts do not extend.
AXES_FAILURE_LIMIT = 5
"""Failed sign-ins from one address with one username: enough for mistakes, too few for guessing."""

AXES_COOLOFF_TIME = timedelta(minutes=15)
"""The duration of the lock; further attempts do not extend it."""

AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ACCESS_FAILURE_LOG = True
AXES_LOCKOUT_CALLABLE = "mirrors.accounts.lockout.locked_out"
AXES_IPWARE_META_PRECEDENCE_ORDER = ["REMOTE_ADDR"]
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# The change history stores values unchanged, and ignores the correlation ID header, which clients choose.
AUDITLOG_STORE_JSON_CHANGES = True
AUDITLOG_CID_HEADER = None
