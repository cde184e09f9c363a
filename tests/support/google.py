"""Google Cloud for tests: a gRPC server for Artifact Registry, and the HTTP servers that issue tokens.

Google Cloud itself is not available to tests. The responses follow the message descriptors of the client package.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
from google.cloud import artifactregistry_v1 as artifactregistry
from google.longrunning.operations_pb2 import Operation
from google.protobuf.any_pb2 import Any as AnyMessage

from tests.support.authority import Authority
from tests.support.registries import PASSWORD, Registry, distribution

PROJECT, LOCATION, REPOSITORY = "gcp-project-123", "europe-west3", "main"
HOST = f"{LOCATION}-docker.pkg.dev"
NAME = f"projects/{PROJECT}/locations/{LOCATION}/repositories/{REPOSITORY}"
SERVICE = "google.devtools.artifactregistry.v1.ArtifactRegistry"


@dataclass
class ArtifactRegistry:
    """A running Artifact Registry service over TLS. ``refuse`` maps methods that fail to their status and message."""

    endpoint: str = ""
    ca_file: str = ""
    repositories: dict[str, artifactregistry.Repository] = field(default_factory=dict)
    refuse: dict[str, tuple[grpc.StatusCode, str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def put(self, name: str = NAME, **fields: Any) -> None:
        fields.setdefault("format_", artifactregistry.Repository.Format.DOCKER)
        fields.setdefault("mode", artifactregistry.Repository.Mode.STANDARD_REPOSITORY)
        self.repositories[name] = artifactregistry.Repository(name=name, **fields)

    def get(self, request: artifactregistry.GetRepositoryRequest, context: Any) -> artifactregistry.Repository:
        if request.name not in self.repositories:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} not found")
        return self.repositories[request.name]

    def create(self, request: artifactregistry.CreateRepositoryRequest, context: Any) -> Operation:
        name = f"{request.parent}/repositories/{request.repository_id}"
        if name in self.repositories:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists")
        made = request.repository
        made.name = name
        mode: Any = artifactregistry.Repository.Mode.STANDARD_REPOSITORY
        made.mode = mode
        self.repositories[name] = made
        response = AnyMessage()
        response.Pack(artifactregistry.Repository.pb(made))
        return Operation(name="operations/1", done=True, response=response)

    def update(self, request: artifactregistry.UpdateRepositoryRequest, context: Any) -> artifactregistry.Repository:
        assert list(request.update_mask.paths) == ["labels"]
        row = self.repositories[request.repository.name]
        row.labels = request.repository.labels
        return row

    def handler(self) -> grpc.GenericRpcHandler:
        api = artifactregistry
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "GetRepository": self._unary("GetRepository", "get", api.GetRepositoryRequest),
                "CreateRepository": self._unary("CreateRepository", "create", api.CreateRepositoryRequest),
                "UpdateRepository": self._unary("UpdateRepository", "update", api.UpdateRepositoryRequest),
            },
        )

    def _unary(self, name: str, act: str, request: Any) -> Any:
        def answer(asked: Any, context: Any) -> Any:
            self.calls.append(name)
            if name in self.refuse:
                context.abort(*self.refuse[name])
            return getattr(self, act)(asked, context)

        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=request.deserialize, response_serializer=_serialize
        )


def _serialize(message: Any) -> bytes:
    plain = type(message).pb(message) if hasattr(type(message), "pb") else message
    serialized: bytes = plain.SerializeToString()
    return serialized


@contextmanager
def artifact_registry(directory: Path) -> Iterator[ArtifactRegistry]:
    authority = Authority(directory)
    authority.issue(directory / "gar.pem", directory / "gar.key")
    pair = ((directory / "gar.key").read_bytes(), (directory / "gar.pem").read_bytes())
    service = ArtifactRegistry(ca_file=str(authority.file))
    server = grpc.server(ThreadPoolExecutor(4), handlers=[service.handler()])
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    service.endpoint = f"localhost:{port}"
    server.start()
    try:
        yield service
    finally:
        server.stop(None).wait(5)


@dataclass
class TokenServer:
    """The metadata server of a VM or a pod with Workload Identity, and the token endpoints of other credentials."""

    url: str = ""
    lifetime: int = 3_600
    status: int = 200
    asked: list[str] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        self.lifetime, self.status = 3_600, 200
        self.asked.clear()
        self.go.set()

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    @property
    def environment(self) -> dict[str, str]:
        """The environment for processes that must find this server."""
        return {"GCE_METADATA_HOST": self.host, "GCE_METADATA_IP": self.host, "CLOUDSDK_CONFIG": "/nonexistent"}

    def answer(self, path: str) -> tuple[int, bytes, str]:
        self.asked.append(path)
        if "token" in path:
            self.go.wait(20)
            token = {"access_token": PASSWORD, "expires_in": self.lifetime, "token_type": "Bearer"}
            if path.startswith("/sts"):
                token["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token"
            return self.status, json.dumps(token).encode(), "application/json"
        if "service-accounts" in path:
            account = {"email": "swapper@p.iam.gserviceaccount.com", "scopes": ["x"], "aliases": ["default"]}
            return 200, json.dumps(account).encode(), "application/json"
        return 200, PROJECT.encode() if "project" in path else b"", "text/plain"


@contextmanager
def token_server() -> Iterator[TokenServer]:
    tokens = TokenServer()
    tokens.reset()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body, kind = tokens.answer(self.path)
            self.send_response(status)
            self.send_header("Metadata-Flavor", "Google")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    tokens.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield tokens
    finally:
        tokens.go.set()
        server.shutdown()
        server.server_close()


@contextmanager
def gar_registry(directory: Path) -> Iterator[Registry]:
    """A real registry with the host name of Artifact Registry that accepts the token that ``TokenServer`` issues."""
    with distribution(directory, htpasswd=True, tls=True, username="oauth2accesstoken", names=(HOST,)) as registry:
        yield registry


def target_keys(registry: Registry | None = None, api: ArtifactRegistry | None = None, **keys: Any) -> dict[str, Any]:
    """Return ``target`` of a configuration for the tests' repository."""
    reach = {"connectTo": registry.host, "caFile": registry.ca_file} if registry else {}
    place = {"apiEndpoint": api.endpoint} if api else {}
    where = {"location": LOCATION, "projectId": PROJECT, "repositoryId": REPOSITORY}
    return {"type": "gcp", "gcp": {**where, **reach, **place, **keys}}
