"""Signatures in cosign's formats, and a verifier that sends the same requests as cosign, over plain HTTP.

The old layout is a manifest under the tag ``sha256-<hex>.sig``. The new one is a Sigstore bundle that refers to the
image.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mirrors.demo.images import OCI_CONFIG, OCI_MANIFEST
from mirrors.demo.memory_storage import Storage

SIMPLE_SIGNING: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
IN_TOTO: Final = "application/vnd.in-toto+json"
SIGNED: Final = "https://sigstore.dev/cosign/sign/v1"
ISSUER: Final = "https://token.actions.githubusercontent.com"
IDENTITY: Final = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main"

Content = dict[str, bytes]
P256: Final = ec.ECDSA(hashes.SHA256())


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def digest_of(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def described(raw: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(raw), "size": len(raw), **more}


@dataclass(frozen=True, slots=True)
class Artifact:
    """A manifest and its blobs."""

    manifest: bytes
    blobs: tuple[bytes, ...]

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    def load(self, storage: Storage, repository: str, tag: str | None = None) -> str:
        for blob in self.blobs:
            storage.add_blob(repository, blob)
        return storage.add_manifest(repository, OCI_MANIFEST, self.manifest, tag)


@dataclass(frozen=True, slots=True)
class Signer:
    """A key. With an identity, it has a certificate like those that Fulcio issues."""

    identity: str = ""
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sigstore-intermediate")])
        now = dt.datetime.now(dt.UTC)
        text = ISSUER.encode()
        issuer = x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8"), bytes([0x0C, len(text)]) + text
        )
        builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(name)
        builder = builder.public_key(self.key.public_key()).serial_number(7)
        builder = builder.not_valid_before(now).not_valid_after(now + dt.timedelta(minutes=10))
        builder = builder.add_extension(issuer, critical=False)
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(self.identity)])
        return builder.add_extension(names, critical=True).sign(self.key, hashes.SHA256())

    def tagged(
        self, digest: str, *, beside: Artifact | None = None, notes_of_signer: dict[str, str] | None = None
    ) -> Artifact:
        """Return the manifest for the tag ``.sig``, including the existing signatures ``beside``. As with cosign, the
        payload does not identify the key, so all signers without notes sign the same bytes."""
        critical = {
            "identity": {"docker-reference": "registry.example/app"},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        }
        payload = json.dumps({"critical": critical, "optional": notes_of_signer}).encode()
        notes = {"dev.cosignproject.cosign/signature": b64(self.key.sign(payload, P256))}
        if self.identity:
            pem = self.certificate().public_bytes(serialization.Encoding.PEM)
            notes["dev.sigstore.cosign/certificate"] = pem.decode()
        layers = json.loads(beside.manifest)["layers"] if beside else []
        layers.append(described(payload, SIMPLE_SIGNING, annotations=notes))
        blobs = [*(beside.blobs[1:] if beside else ()), payload]
        config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [digest_of(blob) for blob in blobs]}}).encode()
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described(config, OCI_CONFIG)}
        return Artifact(json.dumps({**document, "layers": layers}).encode(), (config, *blobs))

    def bundle(self, digest: str, size: int, *, predicate: str = SIGNED) -> Artifact:
        """Return a signed statement about the image manifest as a bundle that refers to it."""
        subject = [{"digest": {"sha256": digest.removeprefix("sha256:")}}]
        statement = {"_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": predicate}
        payload = json.dumps({**statement, "predicate": {}}).encode()
        signature = self.key.sign(encoded(IN_TOTO, payload), P256)
        envelope = {"payload": b64(payload), "payloadType": IN_TOTO, "signatures": [{"sig": b64(signature)}]}
        material: dict[str, Any] = {"publicKey": {"hint": "k"}}
        if self.identity:
            der = self.certificate().public_bytes(serialization.Encoding.DER)
            material = {"certificate": {"rawBytes": b64(der)}}
        raw = json.dumps({"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}).encode()
        notes = {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": predicate}
        return referring(digest, size, BUNDLE, [(raw, BUNDLE)], annotations=notes)

    def public_pem(self) -> str:
        return (
            self.key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )


def referring(
    digest: str, size: int, artifact_type: str, layers: list[tuple[bytes, str]], *, annotations: dict[str, str]
) -> Artifact:
    """Return a manifest with a subject."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": described(b"{}", EMPTY),
        "layers": [described(raw, media_type) for raw, media_type in layers],
        "subject": {"mediaType": OCI_MANIFEST, "digest": digest, "size": size},
        "annotations": annotations,
    }
    return Artifact(json.dumps(document).encode(), (b"{}", *(raw for raw, _ in layers)))


def encoded(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %b %d %b" % (len(payload_type), payload_type.encode(), len(payload), payload)


@dataclass(frozen=True, slots=True)
class Verifier:
    """A verifier that queries one repository of a registry over plain HTTP."""

    host: str
    repository: str
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=10))

    def get(self, rest: str) -> bytes | None:
        accept = f"{OCI_MANIFEST}, application/vnd.oci.image.index.v1+json"
        response = self.pool.request(
            "GET", f"http://{self.host}/v2/{self.repository}/{rest}", headers={"Accept": accept}
        )
        return response.data if response.status == 200 else None

    def tagged(self, digest: str, signer: Signer) -> bool:
        """Return whether the signer made one of the signatures under the tag."""
        raw = self.get(f"manifests/{digest.replace(':', '-')}.sig")
        layers = json.loads(raw)["layers"] if raw else []
        return any(self._is_signed(layer, digest, signer) for layer in layers)

    def _is_signed(self, layer: dict[str, Any], digest: str, signer: Signer) -> bool:
        payload = self._blob(layer["digest"])
        signature = base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"])
        is_about = json.loads(payload)["critical"]["image"]["docker-manifest-digest"] == digest
        return is_about and verifies(signer, signature, payload)

    def bundles(self, digest: str, signer: Signer, *, predicate: str = SIGNED) -> bool:
        """Return whether the signer made one of the bundles that refer to the image."""
        return any(
            self._is_bundled(entry, digest, signer, predicate)
            for entry in self.referrers(digest)
            if entry["artifactType"] == BUNDLE
        )

    def referrers(self, digest: str) -> list[dict[str, Any]]:
        """Return the referrers from the referrers API, or else from the fallback tag."""
        listed = self.get(f"referrers/{digest}") or self.get(f"manifests/{digest.replace(':', '-')}")
        found: list[dict[str, Any]] = json.loads(listed)["manifests"] if listed else []
        return found

    def _is_bundled(self, entry: dict[str, Any], digest: str, signer: Signer, predicate: str) -> bool:
        raw = self.get(f"manifests/{entry['digest']}")
        assert raw is not None
        assert digest_of(raw) == entry["digest"]
        manifest = json.loads(raw)
        assert manifest["subject"]["digest"] == digest
        envelope = json.loads(self._blob(manifest["layers"][0]["digest"]))["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"])
        statement = json.loads(payload)
        about = [f"sha256:{subject['digest']['sha256']}" for subject in statement["subject"]]
        signature = base64.b64decode(envelope["signatures"][0]["sig"])
        is_about = about == [digest] and statement["predicateType"] == predicate
        return is_about and verifies(signer, signature, encoded(envelope["payloadType"], payload))

    def _blob(self, digest: str) -> bytes:
        raw = self.get(f"blobs/{digest}")
        assert raw is not None
        assert digest_of(raw) == digest
        return raw


def verifies(signer: Signer, signature: bytes, payload: bytes) -> bool:
    try:
        signer.key.public_key().verify(signature, payload, P256)
    except Exception:
        return False
    return True
