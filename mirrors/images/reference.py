"""Image references: parse them as the kubelet does, and name their place at the target. Pure, no I/O.

The grammar is that of https://github.com/distribution/reference, which Docker, containerd and CRI-O share.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import socket
from dataclasses import dataclass, field, replace
from functools import lru_cache

MAX_REFERENCE = 1024
"""Characters of a reference as a pod names it: above what its parts allow, and parsed at once."""

MAX_HOST = 260
"""Characters: 253 of a DNS name, a colon and a port, rounded up."""

MAX_REPOSITORY = 255
"""Characters of a repository, as the reference grammar of distribution allows them."""

MAX_TAG = 128
"""Characters, by the OCI distribution specification."""

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"
DOCKER_HUB_ALIASES = frozenset({"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})

# Neighbouring repetitions never share a character, so that a match takes time linear in the text.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}"
_LABEL = r"[a-z0-9]+(?:-+[a-z0-9]+)*"

_REMAINDER = re.compile(rf"({_PATH})(?::({_TAG}))?(?:@({_DIGEST}))?")
_PATH_ONLY = re.compile(_PATH)
_TAG_ONLY = re.compile(_TAG)
_DIGEST_ONLY = re.compile(_DIGEST)
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[([a-f0-9:]+)\])(?::([0-9]+))?")
_OLD_IPV4 = re.compile(r"(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]+|[0-9]+)){0,3}")
_IMAGE_ID = re.compile(r"[a-f0-9]{64}")


class InvalidReferenceError(ValueError):
    """The text is not a valid image reference, host or tag; the message says why."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A normalised reference: host in lower case, aliases of Docker Hub folded, ``library/`` and ``latest`` added."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> ImageRef:
        """Read a reference as it is in a pod; raises :class:`InvalidReferenceError`."""
        return _parse(text)

    @classmethod
    def _read(cls, text: str) -> ImageRef:
        if not 0 < len(text) <= MAX_REFERENCE:
            raise InvalidReferenceError(
                f"an image reference has 1 to {MAX_REFERENCE} characters; {_quote(text)} has {len(text)}"
            )
        if _IMAGE_ID.fullmatch(text):
            raise InvalidReferenceError(f"{_quote(text)} is an image ID, which no registry knows; give a name")
        registry, remainder = _split_registry(text)
        match = _REMAINDER.fullmatch(remainder)
        if match is None:
            raise InvalidReferenceError(f"{_quote(text)} is not a valid image reference: {_reason(remainder)}")
        repository, tag, digest = match.groups()
        if len(repository) > MAX_REPOSITORY:
            raise InvalidReferenceError(
                f"{_quote(text)}: the repository has {len(repository)} characters; {MAX_REPOSITORY} are allowed"
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
        """What a registry is asked for under ``/manifests/``: the digest, which alone counts, else the tag."""
        return self.digest or self.tag or DEFAULT_TAG


@dataclass(frozen=True, slots=True)
class TargetName:
    """Where mirrored images are put: a registry, a path below it, and the longest repository it takes.

    ``aliases`` are other host names of the same registry (ECR's dual-stack and FIPS endpoints, names in DNS). A host
    without a port is the one with ``default_port``. Raises :class:`InvalidReferenceError` for a host or prefix that can
    appear in no reference.
    """

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
        object.__setattr__(self, "_hosts", frozenset(_address(name, self.default_port) for name in names))
        object.__setattr__(self, "prefix", self.prefix.strip("/"))
        if self.prefix and not _PATH_ONLY.fullmatch(self.prefix):
            raise InvalidReferenceError(
                f"prefix {_quote(self.prefix)} is not a valid repository path: {_reason(self.prefix)}"
            )
        if len(self.prefix) > self.max_repository // 2:
            raise InvalidReferenceError(
                f"prefix {_quote(self.prefix)} is longer than half of the {self.max_repository} characters of a name"
            )

    def contains(self, ref: ImageRef) -> bool:
        """Whether the image lies at this target already; the prefix ends at a ``/`` or at the end of the name."""
        if _address(ref.registry, self.default_port) not in self._hosts:
            return False
        return not self.prefix or f"{ref.repository}/".startswith(f"{self.prefix}/")

    def retarget(self, ref: ImageRef) -> ImageRef:
        """The place of ``ref`` at this target; tag and digest are kept, an over-long name ends in a hash of itself."""
        repository = f"{_path_component(ref.registry)}/{ref.repository}"
        if self.prefix:
            repository = f"{self.prefix}/{repository}"
        if len(repository) > self.max_repository:
            mark = "-" + hashlib.sha256(repository.encode()).hexdigest()[:32]
            repository = repository[: self.max_repository - len(mark)].rstrip("-._/") + mark
        return ImageRef(self.endpoint, repository, ref.tag, ref.digest)

    def under_own_name(self, ref: ImageRef) -> ImageRef:
        """An image that lies here, under the one host name that ``retarget`` gives."""
        return replace(ref, registry=self.endpoint)

    def __str__(self) -> str:
        """What the names of all images here begin with."""
        return f"{self.endpoint}/{self.prefix}" if self.prefix else self.endpoint


@lru_cache(maxsize=8_192)
def _parse(text: str) -> ImageRef:
    """A cluster's pods name the same images again and again."""
    return ImageRef._read(text)


def pinned_tag(tag: str | None, digest: str) -> str:
    """A tag that belongs to one digest alone: ``<tag>-<12 hex>``, or ``digest-<12 hex>`` without a tag."""
    mark = "-" + digest.partition(":")[2][:12]
    return (tag or "digest")[: MAX_TAG - len(mark)] + mark


def normalise_host(text: str) -> str:
    """A registry's ``host[:port]`` as :attr:`ImageRef.registry` has it; raises :class:`InvalidReferenceError`."""
    host = text.lower() if len(text) <= MAX_HOST else ""
    match = _HOST.fullmatch(host)
    if match is None:
        raise InvalidReferenceError(
            f"{_quote(text)} is not a valid registry host; use host, host:port or [IPv6 address]:port"
        )
    if match[2] and not 0 < int(match[2]) < 65536:
        raise InvalidReferenceError(f"{_quote(text)}: ports go from 1 to 65535")
    port = f":{int(match[2])}" if match[2] else ""
    if match[1]:
        return f"[{_ipv6_text(match[1])}]{port}"
    if "." not in host and not port and host != "localhost":
        # In a reference such a word is an organisation of Docker Hub, never a host.
        raise InvalidReferenceError(f"host {_quote(text)} has neither a dot nor a port; write {host}:443, for example")
    return DEFAULT_REGISTRY if host in DOCKER_HUB_ALIASES else host.partition(":")[0] + port


@lru_cache(maxsize=8_192)
def _address(host: str, default_port: int) -> tuple[str, int]:
    """What distinguishes registries: name or address, and port. An address has several spellings."""
    name, _, port = host.partition("]") if host.startswith("[") else host.partition(":")
    number = port.removeprefix(":")
    try:
        address = ipaddress.ip_address(name.removeprefix("["))
    except ValueError:
        name = _ipv4_text(name) if _OLD_IPV4.fullmatch(name) else name
    else:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        name = str(mapped or address)
    return name, int(number) if number else default_port


def _ipv4_text(name: str) -> str:
    """``127.1`` or ``0x7f.0.0.1`` as resolvers read it; the name itself where they don't."""
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except OSError:
        return name


def _split_registry(text: str) -> tuple[str, str]:
    head, slash, rest = text.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost" or head != head.lower()):
        registry, remainder = normalise_host(head), rest
    else:
        registry, remainder = DEFAULT_REGISTRY, text
    if registry == DEFAULT_REGISTRY and "/" not in remainder:
        remainder = f"library/{remainder}"
    return registry, remainder


def _path_component(host: str) -> str:
    """The host as one component of a repository; no two hosts share one, as no host name contains ``_``."""
    if host.startswith("["):
        address, _, port = host[1:].partition("]")
        host = ipaddress.IPv6Address(address).packed.hex(":", 2) + port
    return host.replace(":", "_")


def _ipv6_text(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise InvalidReferenceError(f"{_quote(text)} is not a valid IPv6 address") from None
    if address.ipv4_mapped:
        # Newer Pythons print these with dots, which the grammar of references does not know.
        return ":".join(f"{int(group, 16):x}" for group in address.packed.hex(":", 2).split(":"))
    return address.compressed


def _reason(remainder: str) -> str:
    """What is wrong with ``repository[:tag][@digest]``, for a person."""
    name, at, digest = remainder.partition("@")
    path, colon, tag = name.partition(":")
    if path != path.lower():
        return "the repository must be in lower case"
    if not _PATH_ONLY.fullmatch(path):
        return "a repository consists of a-z, 0-9 and single . _ (or __, or -) between them, separated by /"
    if colon and not _TAG_ONLY.fullmatch(tag):
        return f"a tag has 1 to {MAX_TAG} of A-Z, a-z, 0-9, _ . -, and starts with none of the last two"
    if at and not _DIGEST_ONLY.fullmatch(digest):
        return "a digest is sha256: with 64, or sha512: with 128 hexadecimal digits in lower case"
    return "it has parts that do not belong to a reference"


def _quote(text: str) -> str:
    return repr(text if len(text) <= 120 else f"{text[:120]}…")
