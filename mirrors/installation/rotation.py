"""The renewal of the certificate and its authority, in an order in which no call of the webhook fails.

This module sends no requests. An authority is replaced in three steps, and a run can be interrupted after each:

1. The new authority is stored, while the certificate of the old authority is still served. The bundle contains both
   authorities and is written to ``caBundle``.
2. After ``caBundle`` has been written, the new authority issues the certificate.
3. After a day, in which all processes load the new certificate, a later run removes the old authority from the bundle.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from cryptography import x509

from mirrors.installation.issuing import PEM, KeyPair, issue, new_authority

CERTIFICATE_KEYS: Final = ("ca.crt", "ca.key", "tls.crt", "tls.key", "ca-bundle.crt")
AUTHORITY_VALIDITY_FACTOR: Final = 5
"""The validity of an authority as a multiple of a certificate's. Its replacement takes a day, so it should be rare."""


@dataclass(frozen=True, slots=True)
class CertificatePolicy:
    """The policy for certificates: their names, their validity, and the times of renewal."""

    names: tuple[str, ...]
    validity: dt.timedelta
    renew_before: dt.timedelta
    keep_old_authority: dt.timedelta
    is_rotation_forced: bool = False


@dataclass(frozen=True, slots=True)
class Certificates:
    """The content of the Secret: the issuing authority, the served certificate, and the bundle that API servers
    trust."""

    authority: KeyPair
    served: KeyPair
    bundle: tuple[x509.Certificate, ...]

    @classmethod
    def from_values(cls, values: Mapping[str, bytes]) -> Self:
        """Load the certificates from the values of a Secret. Raises ValueError."""
        return cls(
            KeyPair.from_pem(values["ca.crt"], values["ca.key"]),
            KeyPair.from_pem(values["tls.crt"], values["tls.key"]),
            tuple(x509.load_pem_x509_certificates(values["ca-bundle.crt"])),
        )

    @property
    def values(self) -> dict[str, bytes]:
        """The values of the Secret by key, as PEM."""
        pairs = (self.authority.certificate_pem, self.authority.key_pem, self.served.certificate_pem)
        return dict(zip(CERTIFICATE_KEYS, (*pairs, self.served.key_pem, self.bundle_pem), strict=True))

    @property
    def bundle_pem(self) -> bytes:
        return b"".join(certificate.public_bytes(PEM) for certificate in self.bundle)

    @property
    def is_rotating(self) -> bool:
        """Whether the served certificate was not issued by the current authority."""
        return not self.served.is_signed_by(self.authority)


def begin(policy: CertificatePolicy, now: dt.datetime, *, trusted: tuple[x509.Certificate, ...] = ()) -> Certificates:
    """Create the first certificates. The current certificates in ``caBundle`` (``trusted``) stay in the bundle for
    ``keep_old_authority``."""
    authority = _authority(policy, now)
    served = issue(authority, policy.names, policy.validity, now)
    return Certificates(authority, served, (authority.certificate, *_unexpired(trusted, now)))


def prepare(current: Certificates, policy: CertificatePolicy, now: dt.datetime) -> Certificates:
    """Return the certificates to store before ``caBundle`` is updated; equal ones if nothing is due."""
    current = replace(current, bundle=_needed_bundle(current, policy, now))
    if current.is_rotating or not (policy.is_rotation_forced or _is_due(current.served, policy, now)):
        return current
    if policy.is_rotation_forced or current.authority.expires_at < now + policy.validity:
        authority = _authority(policy, now)
        return replace(current, authority=authority, bundle=(authority.certificate, *current.bundle))
    return replace(current, served=issue(current.authority, policy.names, policy.validity, now))


def finish(current: Certificates, policy: CertificatePolicy, now: dt.datetime) -> Certificates:
    """Return the certificates to store after ``caBundle`` has been updated; the same if no rotation is in progress."""
    if not current.is_rotating:
        return current
    return replace(current, served=issue(current.authority, policy.names, policy.validity, now))


def _authority(policy: CertificatePolicy, now: dt.datetime) -> KeyPair:
    return new_authority(AUTHORITY_VALIDITY_FACTOR * policy.validity, now)


def _is_due(served: KeyPair, policy: CertificatePolicy, now: dt.datetime) -> bool:
    return served.expires_at - policy.renew_before <= now or served.names != frozenset(policy.names)


def _needed_bundle(current: Certificates, policy: CertificatePolicy, now: dt.datetime) -> tuple[x509.Certificate, ...]:
    """Return the bundle without authorities that have expired, or whose certificates are no longer served."""
    is_rotation_complete = not current.is_rotating and current.served.issued_at + policy.keep_old_authority <= now
    certificates = (current.authority.certificate,) if is_rotation_complete else current.bundle
    return _unexpired(certificates, now)


def _unexpired(certificates: tuple[x509.Certificate, ...], now: dt.datetime) -> tuple[x509.Certificate, ...]:
    return tuple(certificate for certificate in certificates if certificate.not_valid_after_utc > now)
