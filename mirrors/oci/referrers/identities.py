"""Reads who signed an image from the certificates of its signatures. Pure. This module verifies no signature.

Follows Fulcio's certificate extensions, cosign's annotations of signature layers and Sigstore's bundle 0.3.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ObjectIdentifier

CERTIFICATE_ANNOTATION: Final = "dev.sigstore.cosign/certificate"
"""The annotation of a signature layer that contains the certificate in PEM."""

ISSUER: Final = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
"""The certificate extension with the issuer that authenticated the identity, as a DER string."""

OLD_ISSUER: Final = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
"""The same extension in older certificates, as text without DER."""

MAX_CERTIFICATE_BYTES: Final = 32 * 1024
"""The maximum size of a certificate; Fulcio's have 1 to 3 KiB."""

MAX_LAYERS: Final = 20
"""Signatures under one tag whose certificates are read."""

MAX_SIGNER: Final = 300
"""Characters of a signer that are shown; URLs of workflows have about 120."""

_INVALID: Final = (
    x509.InvalidVersion,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""Errors of a malformed certificate, in addition to ValueError."""

_LONG_DER_LENGTH: Final = 0x80
"""The bit in the length of a DER value that means that the other bits are the number of bytes of the length."""


def of_signature_manifest(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the identities of a manifest whose layers are signatures of cosign."""
    layers = document.get("layers")
    for layer in layers[:MAX_LAYERS] if isinstance(layers, list) else ():
        annotations = layer.get("annotations") if isinstance(layer, dict) else None
        pem = annotations.get(CERTIFICATE_ANNOTATION) if isinstance(annotations, dict) else None
        if isinstance(pem, str) and len(pem) <= MAX_CERTIFICATE_BYTES:
            yield from _of_certificate(pem.encode(), is_pem=True)


def of_bundle(raw: bytes) -> Iterator[str]:
    """Yield the identities of a Sigstore bundle (JSON); none if it has a plain key or is malformed."""
    try:
        material = json.loads(raw)["verificationMaterial"]
        chain = material.get("x509CertificateChain", {}).get("certificates") or [material.get("certificate")]
        der = base64.b64decode(chain[0]["rawBytes"], validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, binascii.Error):
        return
    if len(der) <= MAX_CERTIFICATE_BYTES:
        yield from _of_certificate(der, is_pem=False)


def _of_certificate(encoded: bytes, *, is_pem: bool) -> Iterator[str]:
    """Yield the subject's alternative names, each with the issuer that authenticated it."""
    try:
        load = x509.load_pem_x509_certificate if is_pem else x509.load_der_x509_certificate
        extensions = load(encoded).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        issuer = _issuer(extensions)
    except (ValueError, UnsupportedAlgorithm, *_INVALID):
        return
    identities = [
        *names.get_values_for_type(x509.RFC822Name),
        *names.get_values_for_type(x509.UniformResourceIdentifier),
    ]
    for name in identities[:MAX_LAYERS]:
        yield _printable(f"{name} ({issuer})" if issuer else name)


def _issuer(extensions: x509.Extensions) -> str:
    for oid, is_der in ((ISSUER, True), (OLD_ISSUER, False)):
        try:
            value = extensions.get_extension_for_oid(oid).value
        except x509.ExtensionNotFound:
            continue
        if isinstance(value, x509.UnrecognizedExtension):
            return (_der_text(value.value) if is_der else value.value).decode("utf-8", "replace")
    return ""


def _der_text(value: bytes) -> bytes:
    """Return the content of a DER string: a tag, a length of one byte or more, the text."""
    if len(value) < 2:
        return b""
    length_bytes = value[1] & ~_LONG_DER_LENGTH if value[1] & _LONG_DER_LENGTH else 0
    return value[2 + length_bytes :]


def _printable(text: str) -> str:
    """Return the text shortened, and with unprintable characters replaced."""
    return "".join(character if character.isprintable() else "?" for character in text[:MAX_SIGNER])
