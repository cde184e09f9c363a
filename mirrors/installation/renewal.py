"""One run of `webhook_certs`: keeps certificates in a Secret up to date, and has API servers trust them.

A run can be interrupted after any step, and the next run continues with the next step. Concurrent runs have the same
result: each change of the Secret contains the resource version that it is based on, and a run whose change conflicts
reads the Secret again.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from mirrors.installation import rotation, stored_secrets
from mirrors.installation.api_refusals import InstallationError
from mirrors.installation.registration import Registration
from mirrors.installation.rotation import CERTIFICATE_KEYS, CertificatePolicy, Certificates
from mirrors.installation.stored_secrets import StoredSecret, WriteConflictError

STEP_ATTEMPTS: Final = 10
"""The most attempts of a step, which is repeated if another run has changed the Secret."""

SPREAD_SECONDS: Final = 5.0
"""Seconds for a changed ``caBundle`` to reach all API servers: they receive changes by a watch, and do not report when
they apply them."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """The Secret with the certificates, the webhook configuration that trusts them, and the policy for them."""

    namespace: str
    secret: str
    registration: Registration
    policy: CertificatePolicy
    spread_seconds: float = SPREAD_SECONDS

    def run(self) -> Iterator[str]:
        """Create or renew the certificates if this is due. Yield a line for each change. Raises InstallationError."""
        yield from self._step(self._prepare)
        certificates = self._read()
        if self.registration.set_bundle(certificates.bundle_pem):
            yield f"{self.registration.name}: caBundle is up to date now"
        # Also if another run has just changed it, which might have been interrupted.
        if certificates.is_rotating:
            time.sleep(self.spread_seconds)
        yield from self._step(self._finish)

    def _prepare(self) -> str:
        """Create or renew the certificates, or start a rotation. Return a description of the change, or empty text."""
        now = dt.datetime.now(dt.UTC)
        stored = stored_secrets.read(self.namespace, self.secret)
        if stored is None:
            certificates = rotation.begin(self.policy, now, trusted=self.registration.trusted_certificates())
            stored_secrets.create(self.namespace, self.secret, certificates.values)
            return f"created, with a certificate until {certificates.served.expires_at:%Y-%m-%d}"
        before = self._certificates(stored)
        return self._store(before, rotation.prepare(before, self.policy, now), stored.version)

    def _finish(self) -> str:
        stored = stored_secrets.read(self.namespace, self.secret)
        if stored is None:
            raise InstallationError(f"{self._description} was deleted in the meantime: run the command again.")
        before = self._certificates(stored)
        return self._store(before, rotation.finish(before, self.policy, dt.datetime.now(dt.UTC)), stored.version)

    def _step(self, step: Callable[[], str]) -> Iterator[str]:
        for _ in range(STEP_ATTEMPTS):
            try:
                if change := step():
                    yield f"{self._description}: {change}"
                return
            except WriteConflictError:
                continue
        raise InstallationError(
            f"{self._description} was changed by other clients during each attempt: run the command again."
        )

    def _store(self, before: Certificates, after: Certificates, version: str) -> str:
        if after == before:
            return ""
        stored_secrets.change(self.namespace, self.secret, after.values, version=version)
        return _describe_change(before, after)

    def _read(self) -> Certificates:
        stored = stored_secrets.read(self.namespace, self.secret)
        return self._certificates(stored or StoredSecret({}, ""))

    def _certificates(self, stored: StoredSecret) -> Certificates:
        if missing := [key for key in CERTIFICATE_KEYS if key not in stored.values]:
            existing_keys = ", ".join(sorted(stored.values)) or "no key"
            raise InstallationError(
                f"{self._description} was not created by this command: it has {existing_keys}, but not "
                f"{', '.join(missing)}. It was not changed. Name another Secret with --secret, or delete this one."
            )
        try:
            return Certificates.from_values(stored.values)
        except ValueError as error:
            raise InstallationError(
                f"{self._description} cannot be used: {error}. Delete it, and run the command again: it creates new "
                "certificates, and the current ones stay trusted for a day."
            ) from None

    @property
    def _description(self) -> str:
        return f"Secret {self.namespace}/{self.secret}"


def _describe_change(before: Certificates, after: Certificates) -> str:
    if after.authority != before.authority:
        return "a new authority is trusted in addition to the old one; a new certificate will be issued next"
    if after.served != before.served:
        return f"a new certificate until {after.served.expires_at:%Y-%m-%d}"
    return "an old authority is no longer trusted"
