"""The handler of a connection to a temporary registry: the routes of the distribution API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from mirrors.demo.memory_storage import algorithm_of, digest_of

if TYPE_CHECKING:
    from mirrors.demo.registry import MemoryRegistry, _Server

_ROUTE = re.compile(r"/v2/(?P<repository>.+?)/(?P<kind>manifests|blobs|tags)/(?P<rest>.+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class Handler(BaseHTTPRequestHandler):
    """The handler of all requests of one connection, until the client closes it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    repository = ""
    rest = ""
    query: dict[str, list[str]]

    @property
    def registry(self) -> MemoryRegistry:
        return self.server.registry

    def log_message(self, format: str, *args: object) -> None:
        """Do not log requests."""

    def handle_request(self) -> None:
        parts = urlsplit(self.path)
        self.query = parse_qs(parts.query)
        match = _ROUTE.fullmatch(parts.path)
        self.repository, kind, self.rest = match.groups() if match else ("", "", "")
        if self.registry.intercept(self):
            return
        if parts.path == "/token":
            self._issue_token()
        elif not self._is_allowed():
            self._challenge()
        elif parts.path == "/v2/":
            self.respond(200, b"{}")
        else:
            self._route(kind)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_request

    def respond(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send a response. Header names are passed with underscores. The length is that of `body`, also for a HEAD."""
        self.send_response(status)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Length": str(len(body)), **names}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def respond_error(self, status: int, code: str, **headers: str) -> None:
        """Send an error in the format of the specification. Close the connection if the request has a body, because
        the body may not have been read."""
        if self.headers.get("Content-Length", "0") != "0" and status >= 400:
            self.close_connection = True
            headers["Connection"] = "close"
        body = json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode()
        self.respond(status, body, Content_Type="application/json", **headers)

    def read_body(self) -> bytes:
        """Read the request's body. It is shorter than its Content-Length if the client closed the connection."""
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def is_cut_off(self, body: bytes) -> bool:
        """Return whether the client disconnected before the end of the body; if so, close the connection."""
        is_short = len(body) < int(self.headers.get("Content-Length", "0"))
        self.close_connection = self.close_connection or is_short
        return is_short

    def _route(self, kind: str) -> None:
        routes: dict[tuple[str, str], Callable[[], None]] = {
            ("manifests", "GET"): self._get_manifest,
            ("manifests", "HEAD"): self._get_manifest,
            ("manifests", "PUT"): self._put_manifest,
            ("manifests", "DELETE"): self._delete_manifest,
            ("tags", "GET"): self._list_tags,
        }
        uploads = {"POST": self._start_upload, "PATCH": self._patch_upload, "PUT": self._finish_upload}
        uploads["DELETE"] = self._cancel_upload
        if kind == "blobs" and self.rest.startswith("uploads/"):
            action = uploads.get(self.command)
        elif kind == "blobs":
            action = self._get_blob if self.command in ("GET", "HEAD") else None
        else:
            action = routes.get((kind, self.command))
        if action is None:
            self.respond_error(404, "UNSUPPORTED")
        else:
            action()

    # Authorization.

    def _scope(self) -> str:
        action = "pull" if self.command in ("GET", "HEAD") else "push"
        return f"repository:{self.repository}:{action}"

    def _is_allowed(self) -> bool:
        gatekeeper = self.registry.gatekeeper
        return gatekeeper is None or gatekeeper.is_allowed(self.headers.get("Authorization", ""), self._scope())

    def _challenge(self) -> None:
        assert self.registry.gatekeeper is not None
        challenge = self.registry.gatekeeper.challenge(self.registry.host, self._scope())
        self.respond_error(401, "UNAUTHORIZED", WWW_Authenticate=challenge)

    def _issue_token(self) -> None:
        gatekeeper = self.registry.gatekeeper
        token = gatekeeper and gatekeeper.issue(self.headers.get("Authorization", ""), self.query.get("scope", []))
        if gatekeeper is None or token is None:
            self.respond_error(401, "UNAUTHORIZED")
            return
        body = json.dumps({"token": token, "expires_in": gatekeeper.lifetime}).encode()
        self.respond(200, body, Content_Type="application/json")

    # Manifests and tags.

    def _get_manifest(self) -> None:
        manifest = self.registry.storage.manifest(self.repository, self.rest)
        if manifest is None:
            self.respond_error(404, "MANIFEST_UNKNOWN")
            return
        digest, media_type, raw = manifest
        self.respond(200, raw, Content_Type=media_type, Docker_Content_Digest=digest)

    def _put_manifest(self) -> None:
        raw = self.read_body()
        if self.is_cut_off(raw):
            return
        algorithm = algorithm_of(self.rest)
        digest = digest_of(raw, algorithm or "sha256")
        if algorithm is not None and digest != self.rest:
            self.respond_error(400, "DIGEST_INVALID")
            return
        media_type, tag = self.headers.get("Content-Type", ""), None if algorithm else self.rest
        self.registry.storage.add_manifest(self.repository, media_type, raw, tag, algorithm or "sha256")
        location = f"/v2/{self.repository}/manifests/{digest}"
        self.respond(201, Location=location, Docker_Content_Digest=digest)

    def _delete_manifest(self) -> None:
        storage = self.registry.storage
        with storage.lock:
            removed = storage.manifests.pop((self.repository, self.rest), None)
            storage.tags = {
                key: digest for key, digest in storage.tags.items() if (key[0], digest) in storage.manifests
            }
        self.respond(202) if removed else self.respond_error(404, "MANIFEST_UNKNOWN")

    def _list_tags(self) -> None:
        tags = self.registry.storage.tag_names(self.repository)
        body = json.dumps({"name": self.repository, "tags": tags}).encode()
        self.respond(200, body, Content_Type="application/json")

    # Blobs and uploads.

    def _get_blob(self) -> None:
        content = self.registry.storage.blob(self.repository, self.rest)
        if content is None:
            self.respond_error(404, "BLOB_UNKNOWN")
            return
        headers = {"Content_Type": "application/octet-stream", "Docker_Content_Digest": self.rest}
        match = _RANGE.fullmatch(self.headers.get("Range", ""))
        first, last = (int(match[1]), int(match[2] or len(content))) if match else (0, -1)
        last = min(last, len(content) - 1)
        if last < first:
            self.respond(200, content, **headers)
            return
        self.respond(206, content[first : last + 1], Content_Range=f"bytes {first}-{last}/{len(content)}", **headers)

    def _start_upload(self) -> None:
        self.read_body()
        storage = self.registry.storage
        mount, source = self.query.get("mount"), self.query.get("from")
        if mount and source and storage.mount(self.repository, mount[0], source[0]):
            location = f"/v2/{self.repository}/blobs/{mount[0]}"
            self.respond(201, Location=location, Docker_Content_Digest=mount[0])
        else:
            self._upload_accepted(storage.start_upload())

    def _upload_accepted(self, upload: str) -> None:
        size = len(self.registry.storage.uploads[upload])
        location = f"/v2/{self.repository}/blobs/uploads/{upload}?_state={upload[::-1]}"
        self.respond(202, Location=location, Range=f"0-{max(0, size - 1)}", Docker_Upload_UUID=upload)

    def _upload(self) -> str | None:
        """Return the upload session; None if it is unknown or the client did not return its state unchanged."""
        upload = self.rest.removeprefix("uploads/")
        is_known = upload in self.registry.storage.uploads and self.query.get("_state") == [upload[::-1]]
        return upload if is_known else None

    def _patch_upload(self) -> None:
        upload = self._upload()
        if upload is None:
            self.respond_error(404, "BLOB_UPLOAD_UNKNOWN")
            return
        self.registry.storage.uploads[upload] += self.read_body()
        self._upload_accepted(upload)

    def _finish_upload(self) -> None:
        upload = self._upload()
        if upload is None:
            self.respond_error(404, "BLOB_UPLOAD_UNKNOWN")
            return
        body = self.read_body()
        if self.is_cut_off(body):
            return
        content = bytes(self.registry.storage.uploads[upload]) + body
        algorithm = algorithm_of(self.query.get("digest", [""])[0]) or "sha256"
        digest = digest_of(content, algorithm)
        if self.query.get("digest") != [digest]:
            self.respond_error(400, "DIGEST_INVALID")
            return
        self.registry.storage.uploads.pop(upload)
        self.registry.storage.add_blob(self.repository, content, algorithm)
        self.respond(201, Location=f"/v2/{self.repository}/blobs/{digest}", Docker_Content_Digest=digest)

    def _cancel_upload(self) -> None:
        upload = self._upload()
        if upload is None:
            self.respond_error(404, "BLOB_UPLOAD_UNKNOWN")
            return
        self.registry.storage.uploads.pop(upload)
        self.respond(204)
