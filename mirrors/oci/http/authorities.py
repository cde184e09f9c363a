"""Certificate authorities that servers of registries are trusted by."""

from __future__ import annotations

import os
import ssl

from mirrors.oci.common.errors import RegistryError
from mirrors.oci.http.dialer import Route

Trust = tuple[tuple[str, int], ...]
"""Files of authorities beside the system's, with their last change in nanoseconds: a renewed file is another one."""


class Authorities:
    """Reads each file once. `trusted_ca` is the file of all routes, beside that of one. Only `of` is thread-safe."""

    def __init__(self, trusted_ca: str | None) -> None:
        self._trusted_ca = trusted_ca
        self._contexts: dict[Trust, ssl.SSLContext] = {}

    def of(self, route: Route) -> Trust:
        """Raises RegistryError `tls` when a file cannot be read."""
        files = [path for path in (self._trusted_ca, route.ca_file) if path]
        try:
            return tuple((path, os.stat(path).st_mtime_ns) for path in files)
        except OSError as error:
            raise _unreadable(route, error.strerror) from None

    def context(self, route: Route, trust: Trust) -> ssl.SSLContext:
        """Raises RegistryError `tls` when a file has no certificates."""
        if trust not in self._contexts:
            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            # Set by Python 3.13 and refused by many private authorities, whose certificates lack key identifiers.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            try:
                for path, _ in trust:
                    context.load_verify_locations(cafile=path)
            except (OSError, ssl.SSLError):
                raise _unreadable(route, "no PEM certificates in it") from None
            self._contexts[trust] = context
        return self._contexts[trust]


def _unreadable(route: Route, reason: str | None) -> RegistryError:
    return RegistryError(
        "tls", f"the file of certificate authorities for {route.host} cannot be used: {reason}", host=route.host
    )
