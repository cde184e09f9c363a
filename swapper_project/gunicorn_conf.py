"""The gunicorn settings of webhook and web. The role and the addresses come from the environment."""

from __future__ import annotations

import gc
import os
import resource
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from swapper_project.process import environment as env
from swapper_project.process.monitoring import listening, metrics_files
from swapper_project.process.private_files.certificates import CertificateError, ReloadingContext

if TYPE_CHECKING:
    from swapper_project.config import Config

BOOT_ERROR = 3
"""The exit status of a worker after which gunicorn exits instead of starting another worker."""

metrics_files.create_directory()
_role = os.environ.get("SWAPPER_ROLE", "web")


def _max_connections() -> int:
    """Return the limit of open files minus a reserve, within 128 and 4,000. Raise the soft limit first if possible."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 8_192 <= hard or (soft < hard < 8_192):
        soft = min(8_192, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(128, min(4_000, soft - 256))


def _stop(error: Exception) -> NoReturn:
    """Exit with the error's message, which is for the operator, and without a traceback."""
    print(error, file=sys.stderr)
    sys.exit(BOOT_ERROR)


try:
    _environment = env.read()
except env.EnvironmentProblem as _problem:
    _stop(_problem)
bind = listening.for_gunicorn(_environment.bind or "127.0.0.1:8000")
worker_class = "swapper_project.serving.worker.PatientWorker"
# One process with many threads: facts are in memory only once, and probes respond while reviews wait.
workers = 1
threads = 32 if _role == "webhook" else 8
# Seconds. The API server keeps connections open; the default of 2 s would close them while it uses them.
keepalive = 120
timeout = 60
# Shorter than a pod's grace period minus its preStop hook. The worker drains for the first half of it.
graceful_timeout = max(20, int(_environment.webhook_timeout) + 10)
# The maximum that gunicorn allows: a list with many filters has a long URL.
limit_request_line = 8_190
# An incomplete request uses no thread, so many connections can be open.
worker_connections = _max_connections()
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
control_socket_disable = True
# Only swapper_project.middleware.proxies handles forwarded headers, because gunicorn does not match IPv4-mapped peers.
forwarded_allow_ips = ""
accesslog = None
errorlog = "-"
loglevel = "warning"
proc_name = f"swapper-{_role}"
certfile = os.environ.get("SWAPPER_TLS_CERT_FILE") or None
keyfile = os.environ.get("SWAPPER_TLS_KEY_FILE") or None

try:
    _context = ReloadingContext(certfile, keyfile) if certfile and keyfile else None
except CertificateError as _problem:
    _stop(_problem)


def ssl_context(conf: Any, default_ssl_context_factory: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Return the TLS context. gunicorn calls this for each connection, so a renewed certificate needs no restart."""
    return _context.current() if _context else default_ssl_context_factory()


def post_worker_init(worker: Any) -> None:
    """Load the configuration now instead of with the first review. If it is invalid, exit with the reason."""
    from swapper_project.config import ConfigError

    try:
        config = _active_config()
    except ConfigError as error:
        _stop(error)
    # From now on, gunicorn logs in the same format as the application.
    worker.log.error_log.handlers.clear()
    worker.log.error_log.propagate = True
    from swapper_project.serving.started import log_start

    log_start(_role, (listener.sock for listener in worker.sockets), is_tls=_context is not None, config=config)
    # Exclude the objects loaded so far from garbage collection: a full collection over them would delay all reviews.
    gc.collect()
    gc.freeze()


def _active_config() -> Config | None:
    if _role == "webhook":
        from webhook.runtime.runtime import runtime

        runtime().set_certificate(_context)
        return runtime().snapshots.current.config
    if _environment.config is None:
        from swapper_project.process import configured

        source = configured.source()
        return source.current if source else None
    from swapper_project import config
    from swapper_project.process import logs

    loaded = config.load(_environment.config, _environment.config_overrides)
    logs.configure(loaded.log_level, loaded.log_format)
    return loaded


def worker_exit(server: Any, worker: Any) -> None:
    """Stop the webhook's runtime, which writes its buffered counts."""
    # A worker that failed to start has no runtime, and must not fail again.
    if runtime := sys.modules.get("webhook.runtime.runtime"):
        runtime.stop()
