"""Records for each running image whether a new pod would keep its source even if the target has the image.

A sample pod of each workload is decided in the same way as in a review. The fire drill counts these images as not
protected.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final

import structlog
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from mirrors import selectors
from mirrors.jobs.timing import from_now
from mirrors.kubernetes.api_server.api_client import ClusterError
from mirrors.kubernetes.api_server.sample_pods import pod_or_template
from mirrors.kubernetes.api_server.webhook_scope import WebhookScope, read_scope
from mirrors.kubernetes.objects.pods import Json
from mirrors.models import Cluster, RunningImage
from mirrors.vocabulary.bounds import storable
from mirrors.vocabulary.kept_reasons import DETAILS_LENGTH, NOT_REVIEWED, POSTPONED
from mirrors.watcher.inventory import Inventory
from swapper_project.config import Config
from webhook.decision.as_created import reason_to_keep
from webhook.decision.decision import ReviewPolicy
from webhook.decision.snapshot import policy_of

log = structlog.get_logger(__name__)

DECIDING_SECONDS: Final = 1.0
"""Seconds of a turn that this task may use: a turn takes ten seconds, which the tasks share."""

ROWS_PER_TURN: Final = 500
"""Rows that one turn decides: a pod is read in milliseconds and serves several rows."""

FAILURES_PER_TURN: Final = 20
"""Pods that one turn fails to read before it stops: a role that does not allow it fails for any number of them."""

DECIDED_AGAIN_AFTER: Final = 6 * 3_600.0
"""Seconds after which an unchanged row is decided again, because an annotation of a template may have changed."""

SCOPE_AGE: Final = 300.0
"""Seconds until the webhook configuration is read again, and the namespaces if its selectors use their labels."""

KeptVerdict = tuple[str, str]


class KeptImages:
    """A task of the watcher. ``registration`` is the name of the MutatingWebhookConfiguration."""

    def __init__(self, config_source: Callable[[], Config], registration: str) -> None:
        self._config = config_source
        self._registration = registration
        self._scope = WebhookScope()
        self._scope_until = 0.0
        self._problem = ""

    def run(self, inventory: Inventory) -> None:
        """Decide the rows that are due. They are read from the database, not from the inventory."""
        config = self._config()
        self._read_scope(config.cluster_name)
        filters = selectors.operator_filters(config.cluster_name)
        stamp = _stamp(config, filters, self._scope)
        if rows := list(due(config.cluster_name, stamp)[:ROWS_PER_TURN]):
            self._decide(rows, policy_of(config, filters, selectors.catalog_of(config)), stamp)

    def _read_scope(self, cluster: str) -> None:
        if time.monotonic() < self._scope_until:
            return
        self._scope_until, problem = time.monotonic() + SCOPE_AGE, ""
        rows = RunningImage.objects.current().filter(cluster=cluster).order_by()
        try:
            self._scope = read_scope(self._registration, rows.values_list("namespace", flat=True).distinct())
        except ClusterError as error:
            problem = str(error)
        Cluster.objects.filter(name=cluster).exclude(scope_problem=problem).update(scope_problem=problem)

    def _decide(self, rows: Sequence[RunningImage], policy: ReviewPolicy, stamp: str) -> None:
        deadline = time.monotonic() + DECIDING_SECONDS
        verdicts: dict[KeptVerdict, list[int]] = defaultdict(list)
        unreadable: list[int] = []
        problem, failures = "", 0
        for pod_key, group in groupby(rows, _pod_of):
            pod_rows = list(group)
            try:
                pod = pod_or_template(*pod_key)
            except ClusterError as error:
                problem, failures = problem or str(error), failures + 1
                unreadable += [row.pk for row in pod_rows]
                if error.is_temporary or failures >= FAILURES_PER_TURN:
                    break
            else:
                for row in pod_rows:
                    verdicts[self._verdict(row, pod, policy)].append(row.pk)
            if time.monotonic() >= deadline:
                break
        self._log_problem(problem)
        # They come last in the next turns, so that objects that can never be read do not delay the others.
        RunningImage.objects.filter(pk__in=unreadable).update(decided_for=POSTPONED, decided_at=Now())
        for (kept, details), keys in verdicts.items():
            decided = RunningImage.objects.filter(pk__in=keys)
            decided.update(kept=kept, kept_details=details, decided_for=stamp, decided_at=Now())

    def _verdict(self, row: RunningImage, pod: Json | None, policy: ReviewPolicy) -> KeptVerdict:
        if pod is None:
            return "", ""
        if not self._scope.reviews(row.namespace, pod):
            return NOT_REVIEWED, ""
        reason, details = reason_to_keep(
            pod, namespace=row.namespace, source=row.source, image=row.image, policy=policy
        )
        return reason, storable(details, DETAILS_LENGTH)

    def _log_problem(self, problem: str) -> None:
        """Log a problem when it starts. It is logged only once while some pod cannot be read, because each turn tries
        again, and can meet another pod first."""
        if problem and not self._problem:
            log.warning("Cannot determine which images new pods would keep; trying again", error=problem)
        self._problem = problem


def due(cluster: str, stamp: str) -> QuerySet[RunningImage]:
    """Return the rows that were not decided, or with other settings, or long ago.

    The oldest decisions come first; rows with the same age are sorted by pod.
    """
    is_due = ~Q(decided_for=stamp) | Q(decided_at=None) | Q(decided_at__lt=from_now(-DECIDED_AGAIN_AFTER))
    rows = RunningImage.objects.current().filter(is_due, cluster=cluster).exclude(source="")
    return rows.order_by(F("decided_at").asc(nulls_first=True), "namespace", "workload_kind", "workload", "pod_name")


def _pod_of(row: RunningImage) -> tuple[str, str, str, str]:
    return row.namespace, row.pod_name, row.workload_kind, row.workload


def _stamp(config: Config, filters: Sequence[tuple[str, str]], scope: WebhookScope) -> str:
    """Return a fingerprint of everything except the pods that verdicts depend on."""
    file_filters = [entry.jmespath for entry in config.source.filters]
    target = config.target.name
    rules = (config.opt_out, config.skip_known_operators, config.annotate, target.endpoint, target.prefix)
    parts = repr((rules, file_filters, list(filters), sorted(scope.excluded), scope.selectors))
    return hashlib.sha256(parts.encode(errors="replace")).hexdigest()[:16]
