"""The certificate authorities that verify the servers of registries."""

from __future__ import annotations

import os
import ssl

from mirrors.oci.common.errors import RegistryError
from mirrors.oci.http.dialer import Route

Trust = tuple[tuple[str, int], ...]
"""Files of certificate authorities in addition to the system's, each with its modification time in nanoseconds, so that
a renewed file is loaded again."""


class Authorities:
    """The TLS contexts of routes, each created once. `trusted_ca` is a file for all routes, in addition to a route's
    own file. Only `trust_of` is thread-safe."""

    def __init__(self, trusted_ca: str | None) -> None:
        self._trusted_ca = trusted_ca
        self._contexts: dict[Trust, ssl.SSLContext] = {}

    def trust_of(self, route: Route) -> Trust:
        """Return the files for this route. Raises RegistryError `tls` if a file cannot be read."""
        files = [path for path in (self._trusted_ca, route.ca_file) if path]
        try:
            return tuple((path, os.stat(path).st_mtime_ns) for path in files)
        except OSError as error:
            raise _ca_file_error(route, error.strerror) from None

    def context(self, route: Route, trust: Trust) -> ssl.SSLContext:
        """Return the TLS context for these files. Raises RegistryError `tls` if a file contains no certificates."""
        if trust not in self._contexts:
            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            # Set by Python 3.13. It rejects many private authorities, whose certificates lack key identifiers.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            try:
                for path, _ in trust:
                    context.load_verify_locations(cafile=path)
            except (OSError, ssl.SSLError):
                raise _ca_file_error(route, "no PEM certificates in it") from None
            self._contexts[trust] = context
        return self._contexts[trust]


def _ca_file_error(route: Route, reason: str | None) -> RegistryError:
    return RegistryError(
        "tls", f"the file of certificate authorities for {route.host} cannot be used: {reason}", host=route.host
    )
