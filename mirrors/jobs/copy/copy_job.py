"""The work of one job: check whether it is allowed, find access to its source, prepare its target repository, and copy
the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mirrors.images import ImageRef
from mirrors.jobs.context.worker_context import Stop, WorkerContext
from mirrors.jobs.copy import repositories
from mirrors.jobs.copy.attempt_log import Attempt
from mirrors.jobs.copy.claimed_job import claimed_job
from mirrors.jobs.copy.copy_outcome import CopyOutcome, copied, pulled_through, verified
from mirrors.jobs.copy.failures import FewPullsError, JobRefusedError
from mirrors.jobs.copy.other_clusters import OtherClusterError, next_cluster, requesters_of, target_cluster_error
from mirrors.jobs.copy.referrers import copy_referrers
from mirrors.jobs.copy.source_access import SourceAccess, SourceFinder, SourceRequest
from mirrors.jobs.limits.pull_limits import FIRST_BACKGROUND_PRIORITY
from mirrors.jobs.queue.leases import Lease
from mirrors.kubernetes.api_server.pull_secrets import PullSecrets, Requester
from mirrors.models import Access, ErrorClass, MirrorJob, Trigger
from mirrors.oci import Audience, CopyRequest, Descriptor, Manifest, RegistryAccess, RegistryError
from mirrors.registries.allowed import AllowedSources
from mirrors.registries.credentials import CredentialError
from mirrors.registries.registry_driver import RegistryDriver
from mirrors.selectors.clusters.node_platforms import platforms_to_mirror
from mirrors.services import record_repository
from mirrors.vocabulary.clusters import ClusterNamespace


class CopyJob:
    """One attempt, on the image's own thread. ``before_tag`` is called before a tag is set at the target."""

    def __init__(self, context: WorkerContext, lease: Lease, attempt: Attempt, before_tag: Callable[[], None]) -> None:
        self._context = context
        self._before_tag = before_tag
        self._attempt = attempt
        self._lease = lease
        if lease.number > 1:
            attempt.reset_progress()
        self._job = claimed_job(lease.job_id)
        self._source = ImageRef.parse(self._job.mapping.source)
        self._target = ImageRef.parse(self._job.mapping.target)
        self._found_at_source: dict[RegistryAccess, Descriptor | Manifest] = {}

    def run(self, cancelled: Stop) -> CopyOutcome:
        """Run the job. Raises CopyCancelledError, OtherClusterError, and the errors that ``classify_failure`` maps."""
        self._check_still_allowed()
        # The claim found that neither host is rate limited. The engine of this process may still have an older pause.
        self._context.engine.resume((self._source.registry, self._target.registry))
        if self._job.trigger == Trigger.VERIFY:
            outcome = self._verify()
            if not self._became_copy():
                return outcome
            self._attempt.log_line("a copy was requested while the image was verified: copying it")
        source = self._source_access(cancelled)
        self._postpone_if_few_pulls_remain(source)
        driver = self._context.driver()
        try:
            return self._mirror(driver, source, cancelled)
        except RegistryError as error:
            driver.forget(self._target.repository)
            if source.access.host != self._source.registry and error.host == source.access.host:
                self._attempt.log_line(f"the mirror {error.host} failed: {error}")
                return self._mirror(driver, self._source_access(cancelled, uses_mirrors=False), cancelled)
            if error.code == "not-found" and error.host == driver.access().host:
                # The repository existed a moment ago, so it was deleted in the meantime.
                self._attempt.log_line(f"data was deleted at the target: {error}; restarting the copy")
                return self._mirror(driver, source, cancelled)
            raise

    def _postpone_if_few_pulls_remain(self, source: SourceAccess) -> None:
        """Postpone a background copy if few pulls remain. The HEAD that reported their number does not count as a
        pull."""
        host = source.access.host
        if self._job.priority >= FIRST_BACKGROUND_PRIORITY and self._context.pull_limits.is_low(host):
            raise FewPullsError(host)

    def _verify(self) -> CopyOutcome:
        """Compare the image at the target with the one that was written there, without a request to the source."""
        access, exchanges = self._context.driver().access(), self._attempt.exchanges
        descriptor = self._context.engine.head(self._target, access, confirm=True, exchanges=exchanges)
        return verified(self._job.mapping, descriptor)

    def _became_copy(self) -> bool:
        """Return whether a copy was requested since this verification was claimed."""
        return MirrorJob.objects.filter(id=self._job.id).exclude(trigger=Trigger.VERIFY).exists()

    def _mirror(self, driver: RegistryDriver, source: SourceAccess, cancelled: Stop) -> CopyOutcome:
        registry_id, name = self._job.mapping.target_registry_id, self._target.repository
        state = driver.ensure_repository(name)
        if state.was_inspected:
            repositories.record_state(registry_id, name, state)
        if state.pulls_through:
            return self._pull_through_cache(driver, source, cancelled)
        outcome = self._copy(driver, source, cancelled, is_new=state.is_new)
        if state.was_inspected:
            return outcome
        # The first push may have created the repository.
        return replace(
            outcome, write_repository=lambda: record_repository(registry_id=registry_id, name=name, state=state)
        )

    def _copy(self, driver: RegistryDriver, source: SourceAccess, cancelled: Stop, *, is_new: bool) -> CopyOutcome:
        self._attempt.add(f"copying {self._source} to {self._target.name}")
        platforms = self._platforms()
        request = CopyRequest(
            # A mirror of the source registry has another host.
            source=replace(self._source, registry=source.access.host),
            target=self._target,
            source_access=source.access,
            target_access=driver.access(),
            platforms=platforms,
            target_is_new=is_new,
            audience=self._audience(source),
            party=self._party(),
            # Use this once: by the time of a second try, the source may have other content.
            prefetched=self._found_at_source.pop(source.access, None),
            previous_digests=self._last_digests(platforms),
            before_tag=self._before_tag,
        )
        result = self._context.engine.copy(
            request, progress=self._attempt.progress, cancelled=cancelled, exchanges=self._attempt.exchanges
        )
        if not result.unchanged:
            self._context.pull_limits.record_read(source.access.host)
        if result.foreign:
            self._attempt.log_line(
                f"{len(result.foreign)} layers were not copied, because their licence forbids it: nodes pull them from "
                f"the URLs in the image ({', '.join(result.foreign[:3])})"
            )
        referrers = copy_referrers(
            self._context.engine,
            self._context.config,
            self._job.mapping,
            request,
            result,
            cancelled,
            self._attempt.exchanges,
        )
        if referrers.summary:
            self._attempt.add(referrers.summary)
        return copied(self._job.mapping, source, result, referrers, platforms)

    def _platforms(self) -> tuple[str, ...]:
        """Return the platforms to copy; empty: all. The platforms of the last copy are kept, because nodes with them
        may return."""
        config = self._context.config
        choice = platforms_to_mirror(config)
        if config.platforms != "auto":
            return choice.platforms
        self._attempt.add(f"platforms: {choice.explanation}")
        last_platforms = filter(None, self._job.mapping.only_platforms.split(","))
        return tuple(sorted({*choice.platforms, *last_platforms})) if choice.platforms else ()

    def _last_digests(self, platforms: tuple[str, ...]) -> tuple[str, str] | None:
        """Return the digests of source and target after the last copy, if that copy kept the same platforms; else
        None."""
        mapping = self._job.mapping
        has_same_platforms = bool(platforms) and mapping.only_platforms == ",".join(platforms)
        return (mapping.source_digest, mapping.target_digest) if has_same_platforms else None

    def _audience(self, source: SourceAccess) -> Audience | None:
        """Return the namespaces that will be able to run the mirror; None with ``privateImages: mirror``, because then
        no image at the target is private."""
        if self._context.config.private_images == "mirror":
            return None
        if source.kind == Access.ANONYMOUS:
            return Audience(is_public=True)
        if source.kind == Access.CONFIGURED:
            return Audience(configured_host=self._source.registry)
        return Audience(
            namespaces=frozenset(self._qualified_namespace(name) for name, granted in source.grants.items() if granted)
        )

    def _party(self) -> str:
        """Return the key by which the engine divides transfers among concurrent copies."""
        job = self._job
        return f"namespace {ClusterNamespace(job.cluster, job.namespace)}" if job.namespace else ""

    def _qualified_namespace(self, namespace: str) -> ClusterNamespace:
        """Return the namespace, qualified by the worker's cluster."""
        return ClusterNamespace(self._lease.worker_cluster, namespace)

    def _pull_through_cache(self, driver: RegistryDriver, source: SourceAccess, cancelled: Stop) -> CopyOutcome:
        """Request the image from the target, which is a pull-through cache and then fetches the image itself."""
        try:
            digest = self._context.engine.pull(
                self._target, driver.access(), cancelled=cancelled, exchanges=self._attempt.exchanges
            ).digest
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
        return pulled_through(self._job.mapping, source, digest)

    def _check_still_allowed(self) -> None:
        config = self._context.config
        if self._job.mapping.paused:
            raise JobRefusedError(
                ErrorClass.INVALID, f"{self._source} is paused: resume its mapping, then retry this job."
            )
        if not config.target.name.contains(self._target):
            if (other := target_cluster_error(self._job, self._lease.worker_cluster)) is not None:
                raise other
            raise JobRefusedError(
                ErrorClass.INVALID,
                f"{self._target} is not at the configured target {config.target.name}: the configuration was changed "
                "after this job was requested. Mirror the image again.",
            )
        if config.dry_run:
            self._attempt.log_line("dryRun is set, but a user requested this copy: copying")

    def _source_access(self, cancelled: Stop, *, uses_mirrors: bool = True) -> SourceAccess:
        catalog, allowed = self._context.catalog(), self._context.config.source.allowed_hosts
        # Check this in each attempt: the file may have changed since the request, and a retry does not check it.
        if allowed and (refusal := AllowedSources(allowed, catalog.is_configured).refusal(self._source.registry)):
            raise JobRefusedError(ErrorClass.INVALID, refusal)
        finder = SourceFinder(
            catalog=catalog,
            policy=self._context.config.private_images,
            read_source=self._read_source,
            pull_secrets=PullSecrets().find,
            cancelled=cancelled,
            uses_mirrors=uses_mirrors,
        )
        try:
            access = self._find_access(finder, requesters_of(self._job))
        except CredentialError as error:
            error.host = self._source.registry
            raise
        for problem in access.problems:
            self._attempt.log_line(problem)
        self._attempt.add(f"the source is read {access.description}")
        return access

    def _find_access(
        self, finder: SourceFinder, requesters: Sequence[Requester], *, is_repeated: bool = False
    ) -> SourceAccess:
        """Find an access to the source for these requesters. If others have joined the job during the search, repeat it
        with them. Raises OtherClusterError if only workers of another cluster can read their pull secrets."""
        try:
            return finder.find(
                SourceRequest(self._source, requesters, self._job.mapping.access, self._lease.worker_cluster)
            )
        except JobRefusedError as error:
            if not error.is_unreadable:
                raise
            all_requesters = requesters_of(self._job)
            if not is_repeated and not set(all_requesters).issubset(requesters):
                return self._find_access(finder, all_requesters, is_repeated=True)
            other = next_cluster(self._job, all_requesters, self._lease.worker_cluster)
            if other is None:
                raise
            raise OtherClusterError(other.cluster, other.failure(self._source, error.grants)) from None

    def _read_source(self, source: ImageRef, access: RegistryAccess) -> Descriptor | Manifest | None:
        """Check whether the source has the image. For a new image, read its manifest immediately, because the copy
        needs it next, unless that counts as a pull."""
        engine, exchanges = self._context.engine, self._attempt.exchanges
        found: Descriptor | Manifest | None
        # Read only one manifest: the first access that works is used, so the manifests of others are not needed.
        is_new = not self._job.mapping.source_digest and not self._found_at_source
        if is_new and self._context.pull_limits.is_uncounted(access.host):
            found = engine.read(source, access, exchanges=exchanges)
        else:
            found = engine.head(source, access, confirm=True, exchanges=exchanges)
        if found is not None:
            self._found_at_source[access] = found
        return found
