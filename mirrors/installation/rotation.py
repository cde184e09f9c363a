"""The renewal of certificate and authority, in such an order that no call of the webhook fails. Asks nobody.

An authority is replaced in three steps, each of which may be the last one of a run that was interrupted:

1. The new authority is stored beside the certificate of the old one, and both are in the bundle. The bundle goes into
   ``caBundle``.
2. Once it is there, the new authority issues the certificate.
3. When all processes have had a day to take it over, a later run drops the old authority from the bundle.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from cryptography import x509

from mirrors.installation.issuing import PEM, KeyPair, issue, new_authority

CERTIFICATE_KEYS: Final = ("ca.crt", "ca.key", "tls.crt", "tls.key", "ca-bundle.crt")
LIVES_OF_AN_AUTHORITY: Final = 5
"""How many certificates' validity an authority is valid for: replacing it takes a day, so it is done rarely."""


@dataclass(frozen=True, slots=True)
class CertificatePolicy:
    """The certificates that are wanted."""

    names: tuple[str, ...]
    validity: dt.timedelta
    renew_before: dt.timedelta
    keep_old_authority: dt.timedelta
    is_rotation_forced: bool = False


@dataclass(frozen=True, slots=True)
class Certificates:
    """The content of the Secret: who issues, what is served, and whom API servers trust."""

    authority: KeyPair
    served: KeyPair
    bundle: tuple[x509.Certificate, ...]

    @classmethod
    def from_values(cls, values: Mapping[str, bytes]) -> Self:
        """Raises ValueError."""
        return cls(
            KeyPair.from_pem(values["ca.crt"], values["ca.key"]),
            KeyPair.from_pem(values["tls.crt"], values["tls.key"]),
            tuple(x509.load_pem_x509_certificates(values["ca-bundle.crt"])),
        )

    @property
    def values(self) -> dict[str, bytes]:
        """By the Secret's keys, as PEM."""
        pairs = (self.authority.certificate_pem, self.authority.key_pem, self.served.certificate_pem)
        return dict(zip(CERTIFICATE_KEYS, (*pairs, self.served.key_pem, self.bundle_pem), strict=True))

    @property
    def bundle_pem(self) -> bytes:
        return b"".join(certificate.public_bytes(PEM) for certificate in self.bundle)

    @property
    def is_rotating(self) -> bool:
        """Whether what is served is not of the authority that issues from now on."""
        return not self.served.is_signed_by(self.authority)


def begin(policy: CertificatePolicy, now: dt.datetime, *, trusted: tuple[x509.Certificate, ...] = ()) -> Certificates:
    """The first certificates. Those of ``caBundle`` until now (``trusted``) stay in the bundle for a day."""
    authority = _authority(policy, now)
    served = issue(authority, policy.names, policy.validity, now)
    return Certificates(authority, served, (authority.certificate, *_unexpired(trusted, now)))


def prepare(current: Certificates, policy: CertificatePolicy, now: dt.datetime) -> Certificates:
    """Return what has to be stored before ``caBundle`` is looked at; the same where nothing is due."""
    current = replace(current, bundle=_needed(current, policy, now))
    if current.is_rotating or not (policy.is_rotation_forced or _is_due(current.served, policy, now)):
        return current
    if policy.is_rotation_forced or current.authority.expires_at < now + policy.validity:
        authority = _authority(policy, now)
        return replace(current, authority=authority, bundle=(authority.certificate, *current.bundle))
    return replace(current, served=issue(current.authority, policy.names, policy.validity, now))


def finish(current: Certificates, policy: CertificatePolicy, now: dt.datetime) -> Certificates:
    """Return what has to be stored once ``caBundle`` has the whole bundle; the same where no rotation is under way."""
    if not current.is_rotating:
        return current
    return replace(current, served=issue(current.authority, policy.names, policy.validity, now))


def _authority(policy: CertificatePolicy, now: dt.datetime) -> KeyPair:
    return new_authority(LIVES_OF_AN_AUTHORITY * policy.validity, now)


def _is_due(served: KeyPair, policy: CertificatePolicy, now: dt.datetime) -> bool:
    return served.expires_at - policy.renew_before <= now or served.names != frozenset(policy.names)


def _needed(current: Certificates, policy: CertificatePolicy, now: dt.datetime) -> tuple[x509.Certificate, ...]:
    """The bundle without authorities that nothing can be served from any more."""
    is_taken_over = not current.is_rotating and current.served.issued_at + policy.keep_old_authority <= now
    kept = (current.authority.certificate,) if is_taken_over else current.bundle
    return _unexpired(kept, now)


def _unexpired(certificates: tuple[x509.Certificate, ...], now: dt.datetime) -> tuple[x509.Certificate, ...]:
    return tuple(certificate for certificate in certificates if certificate.not_valid_after_utc > now)
