"""Looks at a source for what refers to a manifest: cosign's tags, the referrers API, the fallback tag."""

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
"""How cosign's tags end to which each signer adds a layer; an SBOM is replaced."""


MAX_UNTYPED: Final = 50
"""Referrers of one manifest that are read to know their type; busy ones have some dozen."""


@dataclass(frozen=True, slots=True)
class FoundReferrer:
    """Something at the source that is about `subject`: under cosign's `tag`, or `listed` as its referrer."""

    subject: str
    digest: str
    tag: str = ""
    listed: Referrer | None = None

    @property
    def is_signature(self) -> bool:
        """Whether its list or its tag says so."""
        return self.listed.is_signature if self.listed else self.tag.endswith(f".{SIGNATURE_SUFFIX}")

    @property
    def is_appended(self) -> bool:
        """Whether what signers add under its tag comes beside what is there."""
        return self.tag.endswith(APPENDED)

    @property
    def rank(self) -> int:
        """Lower goes first where not all are copied. Signatures do, and of those cosign's tags: a manifest has one,
        and anybody who may push to the source adds to its list."""
        if self.listed is None:
            return 0 if self.is_signature else 2
        if self.is_signature:
            return 1
        return 2 if self.listed.is_included("signatures") else 3

    @property
    def name(self) -> str:
        return self.tag or self.digest


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look has found, and what is wrong with the rest of it."""

    found: Sequence[FoundReferrer] = ()
    problem: RegistryError | None = None


@dataclass(frozen=True, slots=True)
class ReferrerLookup:
    source: RegistryClient
    repository: str
    policy: ReferrerPolicy

    def steps(self, subject: str) -> Iterator[Callable[[], Looked]]:
        """Short looks that may be made side by side. Each raises RegistryError."""
        yield partial(self._listed, subject)
        for tag in cosign_tags(subject, self.policy):
            yield partial(self._tagged, subject, tag)

    def _listed(self, subject: str) -> Looked:
        listed = listing.referrers_of(self.source, self.repository, subject)
        untyped = [referrer.digest for referrer in listed.referrers if not referrer.has_type]
        described, problem = self._described(untyped[:MAX_UNTYPED])
        referrers = [described.get(referrer.digest, referrer) for referrer in listed.referrers]
        found = [FoundReferrer(subject, r.digest, listed=r) for r in referrers if r.is_included(self.policy)]
        # In the same words for each platform: few problems of an image are reported.
        if listed.odd:
            problem = self._problem(
                "lists referrers without a size, or with a media type or an algorithm of the digest that is not known "
                "here: those are not copied"
            )
        elif len(untyped) > MAX_UNTYPED:
            problem = self._problem(f"lists more than {MAX_UNTYPED} referrers of one image without their type")
        return Looked(found, problem)

    def _described(self, digests: Sequence[str]) -> tuple[dict[str, Referrer], RegistryError | None]:
        """By digest, what manifests say of themselves that are listed without their artifact type: older versions of
        Quay leave it out, and those of Harbor list the type of the config in its place, as cosign does under the
        fallback tag. With the last problem."""
        described: dict[str, Referrer] = {}
        problem = None
        for digest in digests:
            try:
                described[digest] = Referrer.of(self.source.get_manifest(self.repository, digest))
            except RegistryError as error:
                self.source.call.check(self.source.access.host)
                problem = error
        return described, problem

    def _problem(self, words: str) -> RegistryError:
        host = self.source.access.host
        return RegistryError("invalid", f"{host}/{self.repository} {words}", host=host)

    def _tagged(self, subject: str, tag: str) -> Looked:
        present = self._head(tag)
        return Looked([FoundReferrer(subject, present.digest, tag=tag)] if present else ())

    def _head(self, tag: str) -> Descriptor | None:
        """A refusal of the HEAD is settled by a GET; a 404 is believed, or each tag that is not there would cost two
        requests."""
        try:
            return self.source.head_manifest(self.repository, tag)
        except RegistryError as error:
            if not error.permanent:
                raise
            return self.source.head_manifest(self.repository, tag, confirm=True)
