"""The work of one job: may it be done, how is its source read, where does it go; then the copy itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db.models.functions import Now

from mirrors.images import ImageRef
from mirrors.jobs.copy import repositories
from mirrors.jobs.copy.attempt_log import Attempt
from mirrors.jobs.copy.failures import FewPullsError, JobRefusedError
from mirrors.jobs.copy.other_clusters import OtherClusterError, next_cluster, of_target, requesters_of
from mirrors.jobs.copy.referrers import ReferrersReport, copy_referrers
from mirrors.jobs.copy.source_access import Asker, Finder, SourceAccess
from mirrors.jobs.copy.worker_context import Stop, WorkerContext
from mirrors.jobs.queue.leases import Lease
from mirrors.jobs.queue.pull_limits import FIRST_TO_WAIT
from mirrors.kubernetes.pull_secrets import PullSecrets
from mirrors.models import Access, ErrorClass, Existence, MirrorJob, Obstacle, Trigger
from mirrors.oci import CopyRequest, CopyResult, Descriptor, Readers, RegistryAccess, RegistryError
from mirrors.registries.allowed import AllowedSources
from mirrors.registries.base import RegistryDriver, RepositoryState
from mirrors.registries.credentials import CredentialError
from mirrors.services import record_repository
from mirrors.vocabulary.bounds import LARGEST_BIG_INTEGER, within
from mirrors.vocabulary.clusters import ClusterNamespace

MOST_MANIFESTS: Final = 64
"""Digests of one index that are kept: the largest real ones list some forty, attestations among them."""


@dataclass(frozen=True, slots=True)
class CopyOutcome:
    """How it ended, in words, what is known of the mapping now, and what was learnt of namespaces."""

    words: str
    known: Mapping[str, Any]
    grants: Mapping[str, bool] = field(default_factory=dict)
    bytes_copied: int = 0
    unchanged: bool = False
    referrers: ReferrersReport = ReferrersReport()
    note: Callable[[], None] = lambda: None
    """Writes what was learnt of the repository, in the transaction that ends the job."""


class CopyJob:
    """One attempt; on the image's own thread."""

    def __init__(self, copier: WorkerContext, lease: Lease, attempt: Attempt) -> None:
        self._copier = copier
        self._attempt = attempt
        self._lease = lease
        if lease.number > 1:
            attempt.start()
        self._job = MirrorJob.objects.select_related("mapping__target_registry").get(id=lease.job_id)
        self._source = ImageRef.parse(self._job.mapping.source)
        self._target = ImageRef.parse(self._job.mapping.target)
        self._seen: dict[RegistryAccess, Descriptor] = {}

    def run(self, cancelled: Stop) -> CopyOutcome:
        """Raises what ``mirrors.jobs.copy.failures`` knows, and CopyCancelledError."""
        self._refuse_if_moot()
        # The claim has found neither of them paused: this process's engine may not know that yet.
        self._copier.engine.resume((self._source.registry, self._target.registry))
        if self._job.trigger == Trigger.VERIFY:
            return self._verify()
        source = self._source_access(cancelled)
        self._leave_pulls_to_pods(source)
        driver = self._copier.driver()
        try:
            return self._bring(driver, source, cancelled)
        except RegistryError as error:
            driver.forget(self._target.repository)
            if source.access.host != self._source.registry and error.host == source.access.host:
                self._attempt.note(f"the mirror {error.host} failed: {error}")
                return self._bring(driver, self._source_access(cancelled, uses_mirrors=False), cancelled)
            if error.code == "not-found" and error.host == driver.access().host:
                # Somebody has deleted the repository that was there a moment ago.
                self._attempt.note(f"the target has lost data: {error}; starting again")
                return self._bring(driver, source, cancelled)
            raise

    def _leave_pulls_to_pods(self, source: SourceAccess) -> None:
        """To look at the source cost no pull, and has shown how many remain."""
        host = source.access.host
        if self._job.priority >= FIRST_TO_WAIT and self._copier.pull_limits.is_low(host):
            raise FewPullsError(host)

    def _verify(self) -> CopyOutcome:
        """Ask the target alone; what it has is compared with what was written there."""
        found = self._copier.engine.head(self._target, self._copier.driver().access(), confirm=True)
        if found is None:
            known = {"existence": Existence.ABSENT, "verified_at": Now(), "obstacle": Obstacle.NONE}
            return CopyOutcome("the target does not have it: mirror it now, or wait for the next pod", known)
        present: dict[str, Any] = {"existence": Existence.PRESENT, "verified_at": Now()}
        written = self._job.mapping.target_digest
        if written and written != found.digest:
            words = f"the target has {found.digest}, and not {written} which was written: find out who pushed it"
            return CopyOutcome(words, present | {"obstacle": Obstacle.TAMPERED})
        obstacle = self._job.mapping.obstacle
        cleared = Obstacle.NONE if obstacle == Obstacle.TAMPERED else obstacle
        present |= {"target_digest": found.digest, "obstacle": cleared}
        return CopyOutcome(f"the target has it; {found.digest}", present)

    def _bring(self, driver: RegistryDriver, source: SourceAccess, cancelled: Stop) -> CopyOutcome:
        state = driver.ensure_repository(self._target.repository)
        if state.was_looked_at:
            self._note_repository(state)
        if state.pulls_through:
            return self._let_it_be_pulled(driver, source, cancelled)
        done = self._copy(driver, source, cancelled, is_new=state.is_new)
        if state.was_looked_at:
            return done
        # The first push may have made it.
        registry_id, name = self._job.mapping.target_registry_id, self._target.repository
        return replace(done, note=lambda: record_repository(registry_id=registry_id, name=name, state=state))

    def _note_repository(self, state: RepositoryState) -> None:
        repositories.note(self._job.mapping.target_registry_id, self._target.repository, state)

    def _copy(self, driver: RegistryDriver, source: SourceAccess, cancelled: Stop, *, is_new: bool) -> CopyOutcome:
        self._attempt.add(f"copying {self._source} to {self._target.name}")
        request = CopyRequest(
            # A mirror of the registry has the image under another host.
            source=replace(self._source, registry=source.access.host),
            target=self._target,
            source_access=source.access,
            target_access=driver.access(),
            platforms=self._copier.config.platforms,
            target_is_new=is_new,
            readers=self._readers(source),
            party=self._party(),
            # Once: what it has by the time of a second try is another question.
            seen=self._seen.pop(source.access, None),
        )
        result = self._copier.engine.copy(request, progress=self._attempt.progress, cancelled=cancelled)
        if result.foreign:
            self._attempt.note(
                f"{len(result.foreign)} layers were not copied, because their licence forbids it: nodes pull them from "
                f"the URLs in the image ({', '.join(result.foreign[:3])})"
            )
        referrers = copy_referrers(
            self._copier.engine, self._copier.config, self._job.mapping, request, result, cancelled
        )
        if referrers.words:
            self._attempt.add(referrers.words)
        words = "nothing to do: the target already has it" if result.unchanged else "copied"
        return CopyOutcome(
            f"{words}; {result.target_digest}",
            {**_known(result), **referrers.known, **self._access(source)},
            source.grants,
            result.bytes_copied,
            unchanged=result.unchanged,
            referrers=referrers,
        )

    def _readers(self, source: SourceAccess) -> Readers | None:
        """Who will get to run the mirror; None where nothing at the target is private from anybody."""
        if self._copier.config.private_images == "mirror":
            return None
        if source.how == Access.ANONYMOUS:
            return Readers(is_everybody=True)
        if source.how == Access.CONFIGURED:
            return Readers(configured_host=self._source.registry)
        return Readers(namespaces=frozenset(self._place(name) for name, granted in source.grants.items() if granted))

    def _party(self) -> str:
        """With whom the copy shares what copies of others are to have too."""
        job = self._job
        return f"namespace {ClusterNamespace(job.cluster, job.namespace)}" if job.namespace else ""

    def _place(self, namespace: str) -> ClusterNamespace:
        """A namespace of the worker's cluster."""
        return ClusterNamespace(self._lease.worker_cluster, namespace)

    def _let_it_be_pulled(self, driver: RegistryDriver, source: SourceAccess, cancelled: Stop) -> CopyOutcome:
        """A pull-through cache brings the image itself, once somebody asks for it."""
        try:
            digest = self._copier.engine.pull(self._target, driver.access(), cancelled=cancelled).digest
        except RegistryError as error:
            if error.code != "not-found":
                raise
            raise JobRefusedError(
                ErrorClass.NOT_FOUND,
                f"{self._target.name} is below a pull-through cache, which does not have {self._source}: check the "
                "cache's rule and its credentials at the source (ECR: also ecr:BatchImportUpstreamImage and "
                "ecr:CreateRepository for clients that pull).",
                grants=source.grants,
            ) from None
        known = {
            "existence": Existence.PRESENT,
            "verified_at": Now(),
            "source_checked_at": Now(),
            "target_digest": digest,
            "obstacle": Obstacle.NONE,
        }
        words = f"not copied: the target is a pull-through cache, and has it; {digest}"
        return CopyOutcome(words, known | self._access(source), source.grants, unchanged=True)

    def _access(self, source: SourceAccess) -> dict[str, Any]:
        """A pull secret that reads the image takes nothing from those whom the configured credentials serve."""
        if source.how == Access.SECRETS and self._job.mapping.access == Access.CONFIGURED:
            return {}
        return {"access": source.how}

    def _refuse_if_moot(self) -> None:
        config = self._copier.config
        if self._job.mapping.paused:
            raise JobRefusedError(
                ErrorClass.INVALID, f"{self._source} is paused: resume its mapping, then retry this job."
            )
        if not config.target.name.contains(self._target):
            if (other := of_target(self._job, self._lease.worker_cluster)) is not None:
                raise other
            raise JobRefusedError(
                ErrorClass.INVALID,
                f"{self._target} is not at the configured target {config.target.name}: the configuration was changed "
                "after this job was requested. Mirror the image again.",
            )
        if config.dry_run:
            self._attempt.note("dryRun is set: pods request no copies and are not changed, but this copy was requested")

    def _source_access(self, cancelled: Stop, *, uses_mirrors: bool = True) -> SourceAccess:
        catalog, allowed = self._copier.catalog(), self._copier.config.source.allowed_hosts
        # In any case: the file may have been changed since, and a retry knows nothing of it.
        if allowed and (refusal := AllowedSources(allowed, catalog.is_configured).refusal(self._source.registry)):
            raise JobRefusedError(ErrorClass.INVALID, refusal)
        finder = Finder(
            catalog=catalog,
            policy=self._copier.config.private_images,
            head=self._head_source,
            pull_secrets=PullSecrets().find,
            cancelled=cancelled,
            uses_mirrors=uses_mirrors,
        )
        brought = requesters_of(self._job)
        try:
            found = finder.find(
                Asker(self._source, brought, self._job.mapping.access, self._lease.worker_cluster),
            )
        except JobRefusedError as error:
            other = next_cluster(self._job, brought, self._lease.worker_cluster) if error.is_unreadable else None
            if other is None:
                raise
            raise OtherClusterError(other.cluster, other.failure(self._source, error.grants)) from None
        except CredentialError as error:
            error.host = self._source.registry
            raise
        for problem in found.problems:
            self._attempt.note(problem)
        self._attempt.add(f"the source is read {found.words}")
        return found

    def _head_source(self, source: ImageRef, access: RegistryAccess) -> Descriptor | None:
        found = self._copier.engine.head(source, access, confirm=True)
        if found is not None:
            self._seen[access] = found
        return found


def _known(result: CopyResult) -> dict[str, Any]:
    """Of an unchanged image the engine reports neither platforms nor sizes, and no size of one that the target had
    under another tag: what was known of them stays."""
    known = {
        "existence": Existence.PRESENT,
        "verified_at": Now(),
        "source_checked_at": Now(),
        "source_digest": result.source_digest,
        "target_digest": result.target_digest,
        "obstacle": Obstacle.NONE,
    }
    if not result.unchanged:
        known |= {"platforms": list(result.platforms)}
    if result.manifests or not result.unchanged:
        # Some of the digests alone would make the others look like changed content.
        known |= {"manifests": list(result.manifests) if len(result.manifests) <= MOST_MANIFESTS else []}
    if result.bytes_total:
        known |= {"size_bytes": within(result.bytes_total, LARGEST_BIG_INTEGER)}
    return known
