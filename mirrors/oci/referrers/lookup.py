"""Looks at a source for what refers to a manifest: cosign's tags, the referrers API, the fallback tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.manifests import Descriptor
from mirrors.oci.distribution.client import RegistryClient
from mirrors.oci.referrers import listing
from mirrors.oci.referrers.kinds import SIGNATURE_SUFFIX, Referrer, ReferrerPolicy, cosign_tags

APPENDED: Final = (".sig", ".att")
"""How cosign's tags end to which each signer adds a layer; an SBOM is replaced."""


@dataclass(frozen=True, slots=True)
class FoundReferrer:
    """Something at the source that is about `subject`: under cosign's `tag`, or `listed` as its referrer."""

    subject: str
    digest: str
    tag: str = ""
    listed: Referrer | None = None

    @property
    def is_signature(self) -> bool:
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
class ReferrerLookup:
    source: RegistryClient
    repository: str
    policy: ReferrerPolicy

    def steps(self, subject: str) -> Iterator[Callable[[], list[FoundReferrer]]]:
        """Short looks that may be made side by side. Each raises RegistryError."""
        yield partial(self._listed, subject)
        for tag in cosign_tags(subject, self.policy):
            yield partial(self._tagged, subject, tag)

    def _listed(self, subject: str) -> list[FoundReferrer]:
        listed = listing.referrers_of(self.source, self.repository, subject)
        return [FoundReferrer(subject, r.digest, listed=r) for r in listed if r.is_included(self.policy)]

    def _tagged(self, subject: str, tag: str) -> list[FoundReferrer]:
        present = self._head(tag)
        return [FoundReferrer(subject, present.digest, tag=tag)] if present else []

    def _head(self, tag: str) -> Descriptor | None:
        """A refusal of the HEAD is settled by a GET; a 404 is believed, or each tag that is not there would cost two
        requests."""
        try:
            return self.source.head_manifest(self.repository, tag)
        except RegistryError as error:
            if not error.permanent:
                raise
            return self.source.head_manifest(self.repository, tag, confirm=True)
