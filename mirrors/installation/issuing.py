"""A private certificate authority, and server certificates that it issues. Sends no requests."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM: Final = serialization.Encoding.PEM
CLOCK_DIFFERENCE: Final = dt.timedelta(hours=1)
"""The time by which the start of a certificate's validity is backdated, because the clocks of machines differ."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> Self:
        """Load a pair from PEM. Raises ValueError if the data is not a certificate and its EC key."""
        loaded = serialization.load_pem_private_key(key, password=None)
        pair = cls(x509.load_pem_x509_certificate(certificate), _elliptic(loaded))
        if pair.certificate.public_key() != loaded.public_key():
            raise ValueError("the key does not belong to the certificate")
        return pair

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    @property
    def issued_at(self) -> dt.datetime:
        return self.certificate.not_valid_before_utc + CLOCK_DIFFERENCE

    @property
    def expires_at(self) -> dt.datetime:
        return self.certificate.not_valid_after_utc

    @property
    def names(self) -> frozenset[str]:
        """The DNS names that the certificate is valid for."""
        found = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return frozenset(found.value.get_values_for_type(x509.DNSName))

    def is_signed_by(self, authority: KeyPair) -> bool:
        try:
            self.certificate.verify_directly_issued_by(authority.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


def new_authority(valid_for: dt.timedelta, now: dt.datetime) -> KeyPair:
    """Create an authority with a unique name, because clients may try the wrong one of two authorities with the same
    name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _common_name(f"k8s-image-swapper webhook {now:%Y-%m-%d} {secrets.token_hex(4)}")
    builder = (
        _builder(key, subject=name, issuer=name, now=now, expires_at=now + valid_for)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
    )
    return KeyPair(builder.sign(key, hashes.SHA256()), key)


def issue(authority: KeyPair, names: Sequence[str], valid_for: dt.timedelta, now: dt.datetime) -> KeyPair:
    """Issue a server certificate for these DNS names. It expires with its authority at the latest."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer, issuer_key = authority.certificate.subject, authority.key.public_key()
    expires_at = min(now + valid_for, authority.expires_at)
    builder = (
        _builder(key, subject=x509.Name([]), issuer=issuer, now=now, expires_at=expires_at)
        # Critical because the subject is empty (RFC 5280): a common name has at most 64 characters, and DNS names of
        # Services can be longer.
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )
    return KeyPair(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(
    key: ec.EllipticCurvePrivateKey,
    *,
    subject: x509.Name,
    issuer: x509.Name,
    now: dt.datetime,
    expires_at: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_DIFFERENCE)
        .not_valid_after(expires_at)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _elliptic(key: object) -> ec.EllipticCurvePrivateKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not an EC key")
    return key
