"""A certificate authority for tests, and the server certificates that it issues for 127.0.0.1 and localhost."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
A_DAY = dt.timedelta(days=1)

SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """A certificate authority that writes its certificate as ``ca.pem`` into the directory. With ``of_clusters``, its
    certificates have key identifiers, as those of Kubernetes do, and as clients on Python 3.13 require by default. Many
    private authorities issue certificates without key identifiers."""

    def __init__(self, directory: Path, *, of_clusters: bool = False) -> None:
        self._has_key_identifiers = of_clusters
        self._key = ec.generate_private_key(ec.SECP256R1())
        # Each authority has a unique name, because clients might try the wrong one of two authorities with the same
        # name.
        name = f"Tests' own CA {secrets.token_hex(4)}"
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        basic = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self._name, self._key, A_DAY).add_extension(basic, critical=True)
        if of_clusters:
            builder = builder.add_extension(SIGNS_CERTIFICATES, critical=True)
        self.file = directory / "ca.pem"
        self.file.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(PEM))

    def issue(
        self,
        cert: Path,
        key: Path,
        *,
        valid_for: dt.timedelta = A_DAY,
        begins_in: dt.timedelta = -2 * A_DAY,
        names: Sequence[str] = (),
    ) -> int:
        """Write a new certificate and then its key, and return its serial number. ``valid_for`` may be negative."""
        own = ec.generate_private_key(ec.SECP256R1())
        here = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        builder = self._builder(x509.Name([]), own, valid_for, begins_in)
        alternatives = x509.SubjectAlternativeName([*here, *(x509.DNSName(name) for name in names)])
        builder = builder.add_extension(alternatives, critical=True)
        certificate = builder.sign(self._key, hashes.SHA256())
        private = own.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        cert.write_bytes(certificate.public_bytes(PEM))
        key.write_bytes(private)
        return certificate.serial_number

    def _builder(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        valid_for: dt.timedelta,
        begins_in: dt.timedelta = -2 * A_DAY,
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins_in)
            .not_valid_after(now + valid_for)
        )
        if not self._has_key_identifiers:
            return builder
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(own, critical=False).add_extension(issuer, critical=False)
