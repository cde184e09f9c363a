"""Looks up the referrers of a manifest at a source: cosign's tags, the referrers API, the fallback tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.referrers import listing
from mirrors.oci.referrers.kinds import SIGNATURE_SUFFIX, Referrer, ReferrerPolicy, cosign_tags

APPENDED: Final = (".sig", ".att")
"""The suffixes of the cosign tags to which each signer adds a layer; an SBOM is replaced."""


MAX_UNTYPED: Final = 50
"""Referrers of one manifest that are read to learn their type; busy manifests have some dozens."""


@dataclass(frozen=True, slots=True)
class FoundReferrer:
    """A referrer of `subject` at the source: under cosign's `tag`, or `listed` as a referrer."""

    subject: str
    digest: str
    tag: str = ""
    listed: Referrer | None = None

    @property
    def is_signature(self) -> bool:
        """Whether the list or the tag of the referrer marks it as a signature."""
        return self.listed.is_signature if self.listed else self.tag.endswith(f".{SIGNATURE_SUFFIX}")

    @property
    def is_appended(self) -> bool:
        """Whether signers add to the existing content of the tag."""
        return self.tag.endswith(APPENDED)

    @property
    def rank(self) -> int:
        """The order of copies if not all are copied, the lowest first: signatures before others, and cosign's tags
        before listed signatures. A manifest has one such tag, but everybody who may push to the source can add to the
        list."""
        if self.listed is None:
            return 0 if self.is_signature else 2
        if self.is_signature:
            return 1
        return 2 if self.listed.is_included("signatures") else 3

    @property
    def name(self) -> str:
        return self.tag or self.digest


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The result of one lookup: the referrers that were found, and the problem of the others."""

    found: Sequence[FoundReferrer] = ()
    problem: RegistryError | None = None


@dataclass(frozen=True, slots=True)
class ReferrerLookup:
    source: RegistryClient
    repository: str
    policy: ReferrerPolicy

    def steps(self, subject: str) -> Iterator[Callable[[], LookupResult]]:
        """Yield short lookups that can run concurrently. Each raises RegistryError."""
        yield partial(self._look_up_listed, subject)
        for tag in cosign_tags(subject, self.policy):
            yield partial(self._look_up_tag, subject, tag)

    def _look_up_listed(self, subject: str) -> LookupResult:
        listed = listing.referrers_of(self.source, self.repository, subject)
        untyped = [referrer.digest for referrer in listed.referrers if not referrer.has_type]
        described, problem = self._read_untyped(untyped[:MAX_UNTYPED])
        referrers = [described.get(referrer.digest, referrer) for referrer in listed.referrers]
        found = [FoundReferrer(subject, r.digest, listed=r) for r in referrers if r.is_included(self.policy)]
        # The message is the same for each platform, because few different problems of an image are reported.
        if listed.unsupported:
            problem = self._problem(
                "lists referrers without a size, or with an unsupported media type or digest algorithm: these are not "
                "copied"
            )
        elif len(untyped) > MAX_UNTYPED:
            problem = self._problem(f"lists more than {MAX_UNTYPED} referrers of one image without their type")
        return LookupResult(found, problem)

    def _read_untyped(self, digests: Sequence[str]) -> tuple[dict[str, Referrer], RegistryError | None]:
        """Return by digest the referrers as their own manifests describe them, and the last problem. This is for
        referrers that are listed without their artifact type: older versions of Quay leave it out, and those of Harbor
        list the type of the config instead, as cosign does under the fallback tag."""
        described: dict[str, Referrer] = {}
        problem = None
        for digest in digests:
            try:
                described[digest] = Referrer.of(self.source.get_manifest(self.repository, digest))
            except RegistryError as error:
                self.source.call.check(self.source.access.host)
                problem = error
        return described, problem

    def _problem(self, message: str) -> RegistryError:
        host = self.source.access.host
        return RegistryError("invalid", f"{host}/{self.repository} {message}", host=host)

    def _look_up_tag(self, subject: str, tag: str) -> LookupResult:
        present = self._head(tag)
        return LookupResult([FoundReferrer(subject, present.digest, tag=tag)] if present else ())

    def _head(self, tag: str) -> Descriptor | None:
        """Look up a tag by a HEAD. If the HEAD is refused, a GET decides. A 404 is trusted, because otherwise each
        missing tag would cost two requests."""
        try:
            return self.source.head_manifest(self.repository, tag)
        except RegistryError as error:
            if not error.permanent:
                raise
            return self.source.head_manifest(self.repository, tag, confirm=True)
