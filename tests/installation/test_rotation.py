"""The times at which certificates are renewed and authorities replaced, over years of daily runs."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from mirrors.installation import rotation
from mirrors.installation.rotation import CertificatePolicy, Certificates

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
NAMES = ("swapper", "swapper.ns", "swapper.ns.svc", "swapper.ns.svc.cluster.local")
POLICY = CertificatePolicy(NAMES, validity=100 * DAY, renew_before=20 * DAY, keep_old_authority=DAY)


def run(current: Certificates, policy: CertificatePolicy, now: dt.datetime) -> tuple[Certificates, Certificates]:
    """Run the command once. Return the certificates stored before ``caBundle`` is written, and after it."""
    prepared = rotation.prepare(current, policy, now)
    return prepared, rotation.finish(prepared, policy, now)


def is_trusted(current: Certificates, bundle: tuple[x509.Certificate, ...], now: dt.datetime) -> bool:
    """Return whether a client that trusts the bundle accepts the served certificate for the Service's ``.svc`` name."""
    verifier = PolicyBuilder().store(Store(list(bundle))).time(now).build_server_verifier(x509.DNSName(NAMES[2]))
    try:
        verifier.verify(current.served.certificate, [])
    except x509.verification.VerificationError:
        return False
    return True


def test_certificates_are_unchanged_until_renewal_is_due() -> None:
    made = rotation.begin(POLICY, NOW)

    assert run(made, POLICY, NOW + 79 * DAY) == (made, made)
    assert Certificates.from_values(made.values).values == made.values


def test_a_certificate_is_valid_from_one_hour_before_it_is_issued() -> None:
    made = rotation.begin(POLICY, NOW)

    assert made.served.certificate.not_valid_before_utc == NOW - dt.timedelta(hours=1)
    assert is_trusted(made, made.bundle, NOW - dt.timedelta(minutes=59))


def test_a_certificate_is_renewed_by_the_same_authority() -> None:
    made = rotation.begin(POLICY, NOW)

    _, later = run(made, POLICY, NOW + 80 * DAY)

    assert later.served != made.served and later.bundle == made.bundle
    assert later.served.expires_at == NOW + 180 * DAY


def test_changed_names_renew_a_certificate_immediately() -> None:
    made = rotation.begin(POLICY, NOW)

    _, later = run(made, replace(POLICY, names=(*NAMES[:3], "swapper.ns.svc.example.org")), NOW)

    assert later.served.names == {*NAMES[:3], "swapper.ns.svc.example.org"}


def test_daily_runs_over_years_never_serve_an_untrusted_certificate() -> None:
    current = rotation.begin(POLICY, NOW)
    bundle, authorities = current.bundle, {current.authority.certificate}
    for day in range(1, 1500):
        now = NOW + day * DAY
        prepared, finished = run(current, POLICY, now)
        # API servers still use the old bundle with a new certificate, and processes still serve the old one with a new
        # bundle.
        assert is_trusted(prepared, bundle, now) and is_trusted(current, prepared.bundle, now)
        bundle = prepared.bundle
        assert is_trusted(finished, bundle, now)
        assert finished.served.expires_at - now >= 15 * DAY
        assert len(bundle) <= 2
        authorities.add(finished.authority.certificate)
        current = finished
    assert 3 <= len(authorities) <= 5
    assert len(run(current, POLICY, NOW + 1501 * DAY)[1].bundle) <= 2


def test_the_old_authority_is_removed_one_day_after_a_rotation() -> None:
    made = rotation.begin(POLICY, NOW)
    _, rotated = run(made, replace(POLICY, is_rotation_forced=True), NOW)
    assert len(rotated.bundle) == 2

    assert run(rotated, POLICY, NOW + 0.9 * DAY)[1] == rotated
    assert run(rotated, POLICY, NOW + DAY)[1].bundle == (rotated.authority.certificate,)


@pytest.mark.parametrize("later", [dt.timedelta(), dt.timedelta(hours=1), 3 * DAY])
def test_a_rotation_interrupted_before_the_bundle_is_written_is_finished(later: dt.timedelta) -> None:
    made = rotation.begin(POLICY, NOW)
    prepared = rotation.prepare(made, replace(POLICY, is_rotation_forced=True), NOW)
    assert prepared.served == made.served, "the certificate waits for the bundle"

    again, finished = run(prepared, POLICY, NOW + later)

    assert again == prepared, "the old authority stays as long as its certificate is served"
    assert is_trusted(finished, (finished.authority.certificate,), NOW + later)


def test_unexpired_previous_authorities_stay_in_the_bundle_for_one_day() -> None:
    theirs = rotation.begin(POLICY, NOW).authority.certificate
    expired = rotation.begin(POLICY, NOW - 1000 * DAY).authority.certificate

    made = rotation.begin(POLICY, NOW, trusted=(theirs, expired))

    assert made.bundle == (made.authority.certificate, theirs)
    assert run(made, POLICY, NOW + DAY)[1].bundle == (made.authority.certificate,)
