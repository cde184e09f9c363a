"""The storage of a temporary registry, in memory."""

from __future__ import annotations

import hashlib
import threading
import uuid
from dataclasses import dataclass, field

ALGORITHMS = ("sha256", "sha512")
"""The digest algorithms that the OCI image specification registers."""


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def algorithm_of(reference: str) -> str | None:
    """Return the algorithm of a digest; None for a tag."""
    algorithm, colon, _ = reference.partition(":")
    return algorithm if colon and algorithm in ALGORITHMS else None


@dataclass(slots=True)
class Storage:
    """The content of a registry. A blob is stored once, and visible in the repositories to which it was uploaded or
    mounted (`links`). Thread-safe."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    links: set[tuple[str, str]] = field(default_factory=set)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add_blob(self, repository: str, content: bytes, algorithm: str = "sha256") -> str:
        digest = digest_of(content, algorithm)
        with self.lock:
            self.blobs[digest] = content
            self.links.add((repository, digest))
        return digest

    def add_manifest(
        self, repository: str, media_type: str, raw: bytes, tag: str | None = None, algorithm: str = "sha256"
    ) -> str:
        digest = digest_of(raw, algorithm)
        with self.lock:
            self.manifests[repository, digest] = (media_type, raw)
            if tag is not None:
                self.tags[repository, tag] = digest
        return digest

    def blob(self, repository: str, digest: str) -> bytes | None:
        with self.lock:
            return self.blobs.get(digest) if (repository, digest) in self.links else None

    def mount(self, repository: str, digest: str, source: str) -> bool:
        with self.lock:
            if self.blob(source, digest) is None:
                return False
            self.links.add((repository, digest))
            return True

    def manifest(self, repository: str, reference: str) -> tuple[str, str, bytes] | None:
        """Return the digest, media type and bytes of a manifest by tag or digest."""
        with self.lock:
            digest = self.tags.get((repository, reference), reference)
            stored = self.manifests.get((repository, digest))
            return None if stored is None else (digest, *stored)

    def tag_names(self, repository: str) -> list[str]:
        with self.lock:
            return sorted(tag for name, tag in self.tags if name == repository)

    def start_upload(self) -> str:
        with self.lock:
            upload = uuid.uuid4().hex
            self.uploads[upload] = bytearray()
            return upload
