"""One image of each kind that registries have: media types, compressions, structures and sizes."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any, Final

from mirrors.demo.images import OCI_CONFIG, OCI_MANIFEST, ImageBuilder, SampleImage

DOCKER: Final = "application/vnd.docker"
DOCKER_MANIFEST: Final = f"{DOCKER}.distribution.manifest.v2+json"
DOCKER_LIST: Final = f"{DOCKER}.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = f"{DOCKER}.container.image.v1+json"
DOCKER_LAYER: Final = f"{DOCKER}.image.rootfs.diff.tar.gzip"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
MIB: Final = 1024 * 1024

Descriptor = dict[str, Any]


def tar(name: str = "a") -> bytes:
    """Return an archive with one file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(name)
        archive.addfile(entry, io.BytesIO(name.encode()))
    return packed.getvalue()


def platform(child: Descriptor, architecture: str, **more: Any) -> Descriptor:
    return {**child, "platform": {"os": "linux", "architecture": architecture, **more}}


def config(build: ImageBuilder, media_type: str = OCI_CONFIG) -> Descriptor:
    return build.blob(b'{"architecture":"amd64","os":"linux"}', media_type)


def with_layers(*layers: tuple[bytes, str], **notes: str) -> SampleImage:
    build = ImageBuilder()
    described = [{**build.blob(raw, kind), **({"annotations": notes} if notes else {})} for raw, kind in layers]
    return build.build(build.image(described, config(build)))


def docker() -> tuple[ImageBuilder, Descriptor]:
    build = ImageBuilder()
    layers = [build.blob(gzip.compress(tar(), mtime=0), DOCKER_LAYER)]
    document = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config(build, DOCKER_CONFIG)}
    return build, build.manifest({**document, "layers": layers}, DOCKER_MANIFEST)


def docker_manifest() -> SampleImage:
    build, manifest = docker()
    return build.build(manifest)


def docker_list() -> SampleImage:
    build, manifest = docker()
    children = [platform(manifest, "arm", variant="v7")]
    document = {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": children}
    return build.build(build.manifest(document, DOCKER_LIST))


def index_of_both() -> SampleImage:
    """Return Docker manifests in an OCI index, which some builders create."""
    build, manifest = docker()
    own = build.image([build.blob(tar(), LAYER)], config(build))
    return build.build(build.index([platform(manifest, "amd64"), platform(own, "arm64", variant="v8")]))


def nested() -> SampleImage:
    build = ImageBuilder()
    image = build.image([build.blob(tar(), LAYER)], config(build))
    inner = build.index([platform(image, "amd64")])
    return build.build(build.index([build.index([inner]), platform(image, "amd64")]))


def attested() -> SampleImage:
    build = ImageBuilder()
    image = build.image([build.blob(tar(), LAYER)], config(build))
    about = build.image([build.blob(b"{}", "application/vnd.in-toto+json")], config(build))
    notes = {"vnd.docker.reference.digest": image["digest"], "vnd.docker.reference.type": "attestation-manifest"}
    unknown = {"os": "unknown", "architecture": "unknown"}
    return build.build(build.index([platform(image, "amd64"), {**about, "platform": unknown, "annotations": notes}]))


def artifact() -> SampleImage:
    """Return an OCI 1.1 artifact: an artifact type, the empty config with inline content, and an annotation."""
    build = ImageBuilder()
    empty = {**build.blob(b"{}", EMPTY), "data": "e30="}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.acme.rocket",
        "config": empty,
        "layers": [empty],
        "annotations": {"org.opencontainers.image.title": "ünï\U0001f680"},
    }
    return build.build(build.manifest(document))


def helm_chart() -> SampleImage:
    build = ImageBuilder()
    chart = build.blob(gzip.compress(tar("Chart.yaml")), "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    return build.build(build.image([chart], build.blob(b"{}", "application/vnd.cncf.helm.config.v1+json")))


def with_subject() -> SampleImage:
    build = ImageBuilder()
    image = build.image([build.blob(tar(), LAYER)], config(build))
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config(build), "layers": [], "subject": image}
    return build.build(build.index([platform(image, "amd64"), build.manifest(document)]))


def duplicate_layers() -> SampleImage:
    build = ImageBuilder()
    layer = build.blob(tar(), LAYER)
    return build.build(build.image([layer, layer, layer], config(build)))


def foreign_layer() -> SampleImage:
    build = ImageBuilder()
    absent = {"digest": f"sha256:{'a' * 64}", "size": 9, "urls": ["https://cdn.example/x"]}
    foreign = {**absent, "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"}
    return build.build(build.image([build.blob(tar(), LAYER), foreign], config(build)))


def no_layers() -> SampleImage:
    build = ImageBuilder()
    return build.build(build.image([], config(build)))


def build_cache() -> SampleImage:
    """Return a cache of BuildKit: layers directly in an index."""
    build = ImageBuilder()
    layer = build.blob(gzip.compress(tar()), f"{LAYER}+gzip")
    return build.build(build.index([layer, build.blob(b"{}", "application/vnd.buildkit.cacheconfig.v0")]))


def blob_in_an_index() -> SampleImage:
    """Return an index whose entry is a blob, which only the registry can determine."""
    build = ImageBuilder()
    return build.build(build.index([build.blob(b"a cache", "application/vnd.acme.cache")]))


def unknown_child() -> SampleImage:
    build = ImageBuilder()
    child = build.raw_manifest(b"no JSON at all", "application/vnd.acme.thing")
    return build.build(build.index([child]))


def empty_child() -> SampleImage:
    build = ImageBuilder()
    return build.build(build.index([build.raw_manifest(b"", "application/vnd.acme.thing")]))


def old_artifact() -> SampleImage:
    """Return an artifact manifest of a release candidate of OCI 1.1."""
    build = ImageBuilder()
    kind = "application/vnd.oci.artifact.manifest.v1+json"
    document = {"mediaType": kind, "artifactType": "application/vnd.acme.x", "blobs": [build.blob(b"x", "text/plain")]}
    return build.build(build.index([build.manifest(document, kind)]))


def odd_spacing() -> SampleImage:
    build = ImageBuilder()
    layer = build.blob(tar(), LAYER)
    raw = f'\n{{ "layers":[ {json.dumps(layer)} ],\t"config":{json.dumps(config(build))}, "schemaVersion":2}}\n\n'
    return build.build(build.raw_manifest(raw.encode(), OCI_MANIFEST))


def manifest_of(size: int) -> SampleImage:
    build = ImageBuilder()
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config(build), "layers": []}
    raw = json.dumps(document).encode()
    return build.build(build.raw_manifest(raw + b" " * (size - len(raw)), OCI_MANIFEST))


def sha512() -> SampleImage:
    build = ImageBuilder("sha512")
    image = build.image([build.blob(tar(), LAYER)], config(build))
    return build.build(build.index([platform(image, "amd64")]))


def many_platforms() -> SampleImage:
    build = ImageBuilder()
    layer = build.blob(tar(), LAYER)
    children = []
    for name in ("386", "amd64", "arm64", "mips64le", "ppc64le", "riscv64", "s390x"):
        own = build.blob(json.dumps({"architecture": name}).encode(), OCI_CONFIG)
        children.append(platform(build.image([layer], own), name))
    windows = build.image([layer], build.blob(b'{"os":"windows"}', OCI_CONFIG))
    about = {"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.2700", "os.features": ["win32k"]}
    return build.build(build.index([*children, {**windows, "platform": about}]))


KINDS: Final[dict[str, Callable[[], SampleImage]]] = {
    "OCI, gzip": lambda: with_layers((gzip.compress(tar()), f"{LAYER}+gzip")),
    "OCI, zstd": lambda: with_layers((b"\x28\xb5\x2f\xfd\x00\x58\x09\x00\x00a", f"{LAYER}+zstd")),
    "OCI, uncompressed": lambda: with_layers((tar(), LAYER)),
    "OCI, estargz": lambda: with_layers(
        (gzip.compress(tar()), f"{LAYER}+gzip"), **{"containerd.io/snapshot/stargz/toc.digest": f"sha256:{'e' * 64}"}
    ),
    "OCI, empty layer": lambda: with_layers((b"", LAYER), (tar(), LAYER)),
    "OCI, layer of an unknown type": lambda: with_layers((b"\x00wasm", "application/wasm")),
    "OCI, no layers": no_layers,
    "OCI, duplicate layers": duplicate_layers,
    "OCI, foreign layer": foreign_layer,
    "OCI, odd spacing and no media type": odd_spacing,
    "OCI 1.1 artifact with data": artifact,
    "Helm chart": helm_chart,
    "subject in an index": with_subject,
    "Docker manifest": docker_manifest,
    "Docker list": docker_list,
    "index of OCI and Docker": index_of_both,
    "index in an index": nested,
    "index with attestations": attested,
    "index of many platforms": many_platforms,
    "index without entries": lambda: (build := ImageBuilder()).build(build.index([])),
    "build cache": build_cache,
    "blob in an index": blob_in_an_index,
    "child of an unknown type": unknown_child,
    "child of 0 bytes": empty_child,
    "artifact manifest of OCI 1.1-rc": old_artifact,
    "manifest of 4 MiB": lambda: manifest_of(4 * MIB - 1),
    "manifest of 8 MiB": lambda: manifest_of(8 * MIB),
    "sha512": sha512,
}
