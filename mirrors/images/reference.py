"""Image references: parsed as the kubelet does, and mapped to their names at the target. Pure, no I/O.

The grammar is that of https://github.com/distribution/reference, which Docker, containerd and CRI-O share.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache

from mirrors.images.hosts import (
    DEFAULT_REGISTRY,
    InvalidReferenceError,
    address,
    normalise_host,
    path_component,
    quote,
)

MAX_REFERENCE = 1024
"""The largest length of a reference in a pod: more than its parts allow together, and short enough to parse quickly."""

MAX_REPOSITORY = 255
"""The largest length of a repository, by the reference grammar of distribution."""

MAX_TAG = 128
"""The largest length of a tag, by the OCI distribution specification."""

DEFAULT_TAG = "latest"

# Adjacent repetitions never share a character, so that a match takes time linear in the length of the text.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}"

_REMAINDER = re.compile(rf"({_PATH})(?::({_TAG}))?(?:@({_DIGEST}))?")
_PATH_ONLY = re.compile(_PATH)
_TAG_ONLY = re.compile(_TAG)
_DIGEST_ONLY = re.compile(_DIGEST)
_IMAGE_ID = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A normalised reference: host in lower case, aliases of Docker Hub replaced, ``library/`` and ``latest`` added."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> ImageRef:
        """Parse a reference as a pod contains it. Raises :class:`InvalidReferenceError`."""
        return _parse(text)

    @classmethod
    def parse_or_none(cls, text: str) -> ImageRef | None:
        """Parse a reference as a pod contains it. Return None for text that is not a valid reference."""
        try:
            return cls.parse(text)
        except InvalidReferenceError:
            return None

    @classmethod
    def _read(cls, text: str) -> ImageRef:
        if not 0 < len(text) <= MAX_REFERENCE:
            raise InvalidReferenceError(
                f"an image reference has 1 to {MAX_REFERENCE} characters; {quote(text)} has {len(text)}"
            )
        if _IMAGE_ID.fullmatch(text):
            raise InvalidReferenceError(
                f"{quote(text)} is an image ID, which cannot be pulled from a registry; use a name"
            )
        registry, remainder = _split_registry(text)
        match = _REMAINDER.fullmatch(remainder)
        if match is None:
            raise InvalidReferenceError(f"{quote(text)} is not a valid image reference: {_reason(remainder)}")
        repository, tag, digest = match.groups()
        if len(repository) > MAX_REPOSITORY:
            raise InvalidReferenceError(
                f"{quote(text)}: the repository has {len(repository)} characters; {MAX_REPOSITORY} are allowed"
            )
        return cls(registry, repository, tag or (None if digest else DEFAULT_TAG), digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"

    @property
    def name(self) -> str:
        """Registry and repository, without tag or digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def manifest_reference(self) -> str:
        """The part of a URL after ``/manifests/``: the digest if there is one, because then the tag is ignored."""
        return self.digest or self.tag or DEFAULT_TAG


@dataclass(frozen=True, slots=True)
class TargetName:
    """The place of mirrored images: a registry, a path below it, and the largest length of a repository. ``aliases``
    are other host names of the same registry (ECR's dual-stack and FIPS endpoints, names in DNS). A host without a port
    is the same as with ``default_port``. Raises :class:`InvalidReferenceError` for a host or prefix that no reference
    can contain."""

    endpoint: str
    prefix: str = ""
    max_repository: int = MAX_REPOSITORY
    aliases: tuple[str, ...] = ()
    default_port: int = 443
    _hosts: frozenset[tuple[str, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "endpoint", normalise_host(self.endpoint))
        object.__setattr__(self, "aliases", tuple(normalise_host(alias) for alias in self.aliases))
        names = (self.endpoint, *self.aliases)
        object.__setattr__(self, "_hosts", frozenset(address(name, self.default_port) for name in names))
        object.__setattr__(self, "prefix", self.prefix.strip("/"))
        if self.prefix and not _PATH_ONLY.fullmatch(self.prefix):
            raise InvalidReferenceError(
                f"prefix {quote(self.prefix)} is not a valid repository path: {_reason(self.prefix)}"
            )
        if len(self.prefix) > self.max_repository // 2:
            raise InvalidReferenceError(
                f"prefix {quote(self.prefix)} is longer than half of the {self.max_repository} characters allowed for "
                "a name"
            )

    def contains(self, ref: ImageRef) -> bool:
        """Return whether the image is at this target already. The prefix must match whole components of the name."""
        if address(ref.registry, self.default_port) not in self._hosts:
            return False
        return not self.prefix or f"{ref.repository}/".startswith(f"{self.prefix}/")

    def retarget(self, ref: ImageRef) -> ImageRef:
        """Return the reference of ``ref`` at this target. Tag and digest are kept. A name that is too long is cut, and
        ends in a hash of the whole name."""
        repository = f"{path_component(ref.registry)}/{ref.repository}"
        if self.prefix:
            repository = f"{self.prefix}/{repository}"
        if len(repository) > self.max_repository:
            suffix = "-" + hashlib.sha256(repository.encode()).hexdigest()[:32]
            repository = repository[: self.max_repository - len(suffix)].rstrip("-._/") + suffix
        return ImageRef(self.endpoint, repository, ref.tag, ref.digest)

    def with_endpoint_host(self, ref: ImageRef) -> ImageRef:
        """Return the reference of an image at this target with the host name that ``retarget`` uses."""
        return replace(ref, registry=self.endpoint)

    def __str__(self) -> str:
        """Return the prefix of the names of all images at this target."""
        return f"{self.endpoint}/{self.prefix}" if self.prefix else self.endpoint


@lru_cache(maxsize=8_192)
def _parse(text: str) -> ImageRef:
    """Parse a reference. Cached, because the pods of a cluster name the same images again and again."""
    return ImageRef._read(text)


def pinned_tag(tag: str | None, digest: str) -> str:
    """Return a tag for one digest only: ``<tag>-<12 hex>``, or ``digest-<12 hex>`` without a tag."""
    suffix = "-" + digest.partition(":")[2][:12]
    return (tag or "digest")[: MAX_TAG - len(suffix)] + suffix


def _split_registry(text: str) -> tuple[str, str]:
    head, slash, rest = text.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost" or head != head.lower()):
        registry, remainder = normalise_host(head), rest
    else:
        registry, remainder = DEFAULT_REGISTRY, text
    if registry == DEFAULT_REGISTRY and "/" not in remainder:
        remainder = f"library/{remainder}"
    return registry, remainder


def _reason(remainder: str) -> str:
    """Return the reason why ``repository[:tag][@digest]`` is not valid."""
    name, at, digest = remainder.partition("@")
    path, colon, tag = name.partition(":")
    if path != path.lower():
        return "the repository must be in lower case"
    if not _PATH_ONLY.fullmatch(path):
        return "a repository consists of a-z, 0-9 and single . _ (or __, or -) between them, separated by /"
    if colon and not _TAG_ONLY.fullmatch(tag):
        return f"a tag has 1 to {MAX_TAG} of A-Z, a-z, 0-9, _ . -, and does not start with . or -"
    if at and not _DIGEST_ONLY.fullmatch(digest):
        return "a digest is sha256: with 64, or sha512: with 128 hexadecimal digits in lower case"
    return "it has parts that do not belong to a reference"
