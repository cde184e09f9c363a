"""Django settings, derived from the process environment. One code base serves four roles.

``SWAPPER_ROLE`` selects applications, middleware and URLs: ``webhook`` and ``watcher`` (no sessions, users or admin),
``web`` (admin and API), ``worker`` (the queue), ``all`` for management commands.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from swapper_project.process import environment as env
from swapper_project.process import logs
from swapper_project.process.private_files import data_directory
from swapper_project.process.private_files.secret_key import stored_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

try:
    ENVIRONMENT = env.read()
except ValueError as error:
    raise ImproperlyConfigured(str(error)) from error

ROLE = ENVIRONMENT.role
WEBHOOK = ROLE == "webhook"
HAS_PAGES = ROLE not in ("webhook", "watcher")
DEBUG = ENVIRONMENT.debug

# There is no default. The key signs sessions and the queue's wake-ups, so all processes of an installation share it.
SECRET_KEY = ENVIRONMENT.secret_key or stored_secret_key(ENVIRONMENT.data_dir)
if ROLE != "all" and not SECRET_KEY:
    raise ImproperlyConfigured(
        "SWAPPER_SECRET_KEY is not set: set the same value of at least 32 random characters for all processes, or set "
        "SWAPPER_SECRET_KEY_FILE to a file that contains it."
    )
# The API server chooses the webhook's request host (Service name, cluster IP), and no URL is built from it.
ALLOWED_HOSTS = ["*"] if WEBHOOK else [*ENVIRONMENT.allowed_hosts, "127.0.0.1", "localhost", "[::1]"]

_EXTERNAL = urlsplit(ENVIRONMENT.external_url)
if _EXTERNAL.hostname and not WEBHOOK:
    ALLOWED_HOSTS.append(_EXTERNAL.hostname)
    CSRF_TRUSTED_ORIGINS = [f"{_EXTERNAL.scheme}://{_EXTERNAL.netloc}"]

_HTTPS = _EXTERNAL.scheme == "https"
SECURE_SSL_REDIRECT = _HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _HTTPS
SECURE_HSTS_PRELOAD = _HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
APPEND_SLASH = not WEBHOOK

_OURS = ["django_q", "mirrors", "webhook"]
_ADMIN = [
    # In place of Django's own admin site: this one requires a role.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "mirrors.accounts.admin_app.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
_API = ["rest_framework", "knox", "django_filters", "drf_spectacular", "drf_spectacular_sidecar"]
_ACCESS = ["axes", "auditlog"]
# Accounts must be last: their roles consist of the permissions of all other applications.
INSTALLED_APPS = [*_ADMIN, *_API, *_ACCESS, *_OURS, "mirrors.accounts"] if HAS_PAGES else _OURS
MIDDLEWARE = (
    []
    if not HAS_PAGES
    else [
        "swapper_project.middleware.probes.ProbeMiddleware",
        "swapper_project.middleware.proxies.ProxyMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "swapper_project.middleware.malformed_requests.NoNullMiddleware",
        "swapper_project.middleware.malformed_requests.ChunkedBodyMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "swapper_project.middleware.malformed_requests.SlashMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "swapper_project.process.current_request.CurrentRequestMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "csp.middleware.CSPMiddleware",
        "swapper_project.middleware.content_policy.AdminPolicyMiddleware",
        "swapper_project.middleware.back_button.BackButtonMiddleware",
        "mirrors.api.rate_limits.LimitHeadersMiddleware",
        "axes.middleware.AxesMiddleware",
    ]
)
ROOT_URLCONF = "webhook.http.urls" if WEBHOOK else "swapper_project.urls"
WSGI_APPLICATION = "swapper_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

if not HAS_PAGES:
    REST_FRAMEWORK: dict[str, Any] = {
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "UNAUTHENTICATED_USER": None,
        "UNAUTHENTICATED_TOKEN": None,
    }
else:
    from swapper_project.web_settings import *  # noqa: F403

DATABASES = {"default": dj_database_url.parse(ENVIRONMENT.database_url, conn_max_age=60, conn_health_checks=True)}
_DATABASE = DATABASES["default"]
_OPTIONS: dict[str, Any] = _DATABASE.setdefault("OPTIONS", {})
if _DATABASE["ENGINE"].endswith("sqlite3"):
    with suppress(OSError):
        Path(_DATABASE["NAME"]).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _OPTIONS |= {
        "transaction_mode": "IMMEDIATE",
        "timeout": 2 if WEBHOOK else 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    }
else:
    # Milliseconds. A host that does not respond must not block a thread.
    _STATEMENT, _LOCK = (2_000, 2_000) if WEBHOOK else (60_000, 10_000)
    _OPTIONS |= {
        "connect_timeout": 2,
        "tcp_user_timeout": 5_000,
        "options": f"-c statement_timeout={_STATEMENT} -c lock_timeout={_LOCK}",
    }
if HAS_PAGES:
    # All processes share the counts for the API's limits; everything else is cached in memory.
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "limits": {"BACKEND": "mirrors.accounts.counters.CountingCache", "LOCATION": "accounts_cacheentry"},
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASE_ROUTERS: list[str] = []

# A task is a wake-up, not a job: it runs all jobs that are due (mirrors.jobs). Times are in seconds.
Q_CLUSTER: dict[str, Any] = {
    "name": "mirrors",
    "orm": "default",
    "broker_class": "mirrors.jobs.process.broker.OrderedBroker",
    "workers": 2,
    "queue_limit": 1,
    "bulk": 1,
    "timeout": 6 * 3600,
    "retry": 24 * 3600,
    "max_attempts": 1,
    "ack_failures": True,
    "poll": 0.25,
    "recycle": 50,
    "max_rss": 1_000_000,
    "save_limit": 50,
    # There are no schedules, and the sentinel must not depend on the database.
    "scheduler": False,
    "label": "Queue",
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
# The container image has collected static files; otherwise they are served from the packages.
_COLLECTED = BASE_DIR / "staticfiles"
STATIC_ROOT = _COLLECTED if _COLLECTED.is_dir() else None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_AUTOREFRESH = DEBUG

AUTHENTICATION_BACKENDS = (
    []
    if not HAS_PAGES
    else [
        "axes.backends.AxesStandaloneBackend",
        *ENVIRONMENT.authentication_backends,
        "django.contrib.auth.backends.ModelBackend",
    ]
)
# The admission view itself limits the body (4 MiB), because it must send the error response.
DATA_UPLOAD_MAX_MEMORY_SIZE = None if WEBHOOK else 2_621_440

LOGGING_CONFIG = None
logs.configure()
data_directory.protect(
    ENVIRONMENT.data_dir, Path(_DATABASE["NAME"]) if _DATABASE["ENGINE"].endswith("sqlite3") else None
)
