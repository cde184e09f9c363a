"""The webhook's certificate. It is reloaded when its files change, and created if it does not exist."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

log = structlog.get_logger(__name__)

VALID_FOR: Final = dt.timedelta(days=825)


class CertificateError(Exception):
    """The pair of certificate and key cannot be used; the message says why."""


class ReloadingContext:
    """A TLS context that follows its files. If the pair in the files is incomplete, invalid or expired, the last good
    pair stays in use.

    ``problem`` is the reason why the pair in the files is not in use, or says that the pair in use has expired;
    ``expires_at`` is the expiry of the pair in use. Raises CertificateError if there is no valid pair at the start.
    """

    def __init__(self, cert_file: str, key_file: str) -> None:
        self._files = (Path(cert_file), Path(key_file))
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._load_problem = ""
        self._is_expiry_logged = False
        self._context, self.expires_at = self._load()

    @property
    def problem(self) -> str:
        if self._load_problem or self.expires_at > dt.datetime.now(dt.UTC):
            return self._load_problem
        return f"{self._files[0]} expired at {self.expires_at:%Y-%m-%d %H:%M} UTC"

    def current(self) -> ssl.SSLContext:
        with self._lock:
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp
                try:
                    self._context, self.expires_at = self._load()
                    self._load_problem, self._is_expiry_logged = "", False
                    log.info("The certificate was read again", file=str(self._files[0]), expires=str(self.expires_at))
                except CertificateError as error:
                    self._load_problem = str(error)
                    log.error(
                        "The new certificate cannot be used; the old one stays in use. Put a valid pair in its place",
                        error=self._load_problem,
                        expires=str(self.expires_at),
                    )
            self._log_expiry()
            return self._context

    def _log_expiry(self) -> None:
        if self._is_expiry_logged or self.expires_at > dt.datetime.now(dt.UTC):
            return
        self._is_expiry_logged = True
        log.error(
            "The certificate in use has expired: API servers refuse it. Replace the files with a valid pair",
            file=str(self._files[0]),
            expires=str(self.expires_at),
        )

    def _load(self) -> tuple[ssl.SSLContext, dt.datetime]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            certificate = x509.load_pem_x509_certificate(self._files[0].read_bytes())
            # Without a password, OpenSSL would prompt for one on the terminal and block.
            context.load_cert_chain(*self._files, password="")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
            raise CertificateError(
                f"{self._files[0]} and {self._files[1]} are not a matching certificate and key: {reason}"
            ) from None
        expires_at = certificate.not_valid_after_utc
        if certificate.not_valid_before_utc > dt.datetime.now(dt.UTC):
            valid_from = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M}"
            raise CertificateError(f"{self._files[0]} is not valid before {valid_from} UTC; check the clock")
        if expires_at <= dt.datetime.now(dt.UTC):
            raise CertificateError(f"{self._files[0]} expired at {expires_at:%Y-%m-%d %H:%M} UTC")
        return context, expires_at

    def _stamp(self) -> tuple[tuple[int, int], ...]:
        try:
            return tuple((s.st_mtime_ns, s.st_ino) for s in (file.stat() for file in self._files))
        except OSError:
            return ()


def ensure_self_signed(directory: Path, *, names: Sequence[str]) -> tuple[Path, Path]:
    """Return the paths of certificate and key in ``directory``. Create them for ``names`` (host names and addresses) if
    one is missing."""
    cert_file, key_file = directory / "webhook.crt", directory / "webhook.key"
    if not (cert_file.exists() and key_file.exists()):
        cert, key = self_signed(names)
        directory.mkdir(parents=True, exist_ok=True)
        write_private(key_file, key)
        _write(cert_file, cert, mode=0o644)
    return cert_file, key_file


def self_signed(names: Sequence[str]) -> tuple[bytes, bytes]:
    """Create a self-signed certificate and its key. Return them as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # An hour earlier, because the clocks of a cluster differ.
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def write_private(path: Path, content: bytes) -> None:
    """Write a file atomically that only its owner can read, at no time others."""
    _write(path, content, mode=0o600)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file atomically: on a full disk, the previous file stays."""
    path = path.resolve()
    temporary = path.with_name(f"{path.name}.new")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
