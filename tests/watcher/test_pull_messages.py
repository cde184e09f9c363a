"""The meaning of the kubelet's messages, in the wording of the container runtimes that nodes have."""

from __future__ import annotations

import pytest

from mirrors.kubernetes.objects.pull_messages import cause_of
from mirrors.vocabulary.pull_causes import PullCause

NGINX = "docker.io/library/nginx:1.99"
MIRROR = "mirror.example.com/denied/not-found-429:1"
"""Words of other causes in the image's name are ignored."""

RESOLVE = f'failed to pull and unpack image "{NGINX}": failed to resolve reference "{NGINX}":'
RPC = "rpc error: code = {} desc = {}"


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        # containerd 1.6 and 1.7
        (RPC.format("NotFound", f"{RESOLVE} {NGINX}: not found"), PullCause.NOT_FOUND),
        (
            RPC.format(
                "Unknown", f"{RESOLVE} unexpected status from HEAD request to https://m.example/v2/x: 401 Unauthorized"
            ),
            PullCause.DENIED,
        ),
        (
            RPC.format(
                "Unknown", f"{RESOLVE} unexpected status from HEAD request to https://m.example/v2/x: 403 Forbidden"
            ),
            PullCause.DENIED,
        ),
        (
            RPC.format(
                "Unknown",
                f"{RESOLVE} pulling from host 123456789012.dkr.ecr.eu-west-1.amazonaws.com failed with "
                "status code [manifests 1.99]: 403 Forbidden",
            ),
            PullCause.DENIED,
        ),
        (
            RPC.format(
                "Unknown",
                f"{RESOLVE} pull access denied, repository does not exist or may require authorization: "
                "server message: insufficient_scope: authorization failed",
            ),
            PullCause.DENIED,
        ),
        (
            RPC.format(
                "Unknown",
                f"{RESOLVE} failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
            ),
            PullCause.DENIED,
        ),
        (
            RPC.format(
                "Unknown",
                f"{RESOLVE} failed to authorize: failed to fetch anonymous token: Get "
                '"https://auth.docker.io/token?scope=x": dial tcp: lookup auth.docker.io: i/o timeout',
            ),
            PullCause.UNREACHABLE,
        ),
        (
            RPC.format(
                "Unknown",
                'failed to pull and unpack image "docker.io/library/nginx:1": failed to copy: '
                "httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/nginx/manifests/"
                "sha256:0: 429 Too Many Requests - Server message: toomanyrequests: You have reached your "
                "unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
            ),
            PullCause.RATE_LIMITED,
        ),
        (
            RPC.format(
                "Unknown",
                f'{RESOLVE} failed to do request: Head "https://m.example/v2/x/manifests/1": dial tcp: '
                "lookup m.example on 10.96.0.10:53: no such host",
            ),
            PullCause.UNREACHABLE,
        ),
        (
            RPC.format(
                "DeadlineExceeded",
                f'{RESOLVE} failed to do request: Head "https://m.example/v2/x": dial tcp 10.0.0.1:443: i/o timeout',
            ),
            PullCause.UNREACHABLE,
        ),
        (
            RPC.format(
                "Unknown",
                f'{RESOLVE} failed to do request: Head "https://m.example/v2/x": dial tcp 10.0.0.1:443: '
                "connect: connection refused",
            ),
            PullCause.UNREACHABLE,
        ),
        (
            RPC.format(
                "Unknown",
                f'{RESOLVE} failed to do request: Head "https://m.example/v2/x": tls: failed to verify '
                "certificate: x509: certificate signed by unknown authority",
            ),
            PullCause.UNREACHABLE,
        ),
        (
            RPC.format(
                "Unknown",
                f'{RESOLVE} failed to do request: Head "https://m.example/v2/x": http: server gave HTTP '
                "response to HTTPS client",
            ),
            PullCause.UNREACHABLE,
        ),
        (
            RPC.format(
                "Unknown",
                f"{RESOLVE} unexpected status from HEAD request to https://m.example/v2/x: 503 Service Unavailable",
            ),
            PullCause.UNREACHABLE,
        ),
        (
            RPC.format(
                "NotFound", f'failed to pull and unpack image "{NGINX}": no match for platform in manifest: not found'
            ),
            PullCause.PLATFORM_MISSING,
        ),
        # containerd 2: a layer that the registry lost, and the kubelet's back-off that repeats the cause (since 1.31)
        (
            RPC.format(
                "NotFound",
                f'failed to pull and unpack image "{NGINX}": failed to copy: httpReadSeeker: failed open: '
                "content at https://m.example/v2/x/blobs/sha256:0 not found: not found",
            ),
            PullCause.NOT_FOUND,
        ),
        (
            f'Back-off pulling image "{NGINX}": ErrImagePull: {RPC.format("NotFound", RESOLVE + " not found")}',
            PullCause.NOT_FOUND,
        ),
        (
            f'Back-off pulling image "{MIRROR}": ErrImagePull: failed to pull and unpack image "{MIRROR}": '
            'failed to do request: Head "https://mirror.example.com/v2/denied/not-found-429/manifests/1": '
            "dial tcp 10.0.0.1:443: "
            "connect: no route to host",
            PullCause.UNREACHABLE,
        ),
        # CRI-O
        (f"reading manifest 1.99 in {NGINX.rpartition(':')[0]}: manifest unknown", PullCause.NOT_FOUND),
        (
            "initializing source docker://nginx:1.99: reading manifest 1.99 in docker.io/library/nginx: requested "
            "access to the resource is denied",
            PullCause.DENIED,
        ),
        (
            "unable to retrieve auth token: invalid username/password: unauthorized: authentication required",
            PullCause.DENIED,
        ),
        (
            'initializing source docker://nginx:1: pinging container registry m.example: Get "https://m.example/v2/": '
            "dial tcp: lookup m.example: Temporary failure in name resolution",
            PullCause.UNREACHABLE,
        ),
        (
            "choosing an image from manifest list docker://nginx:1: no image found in manifest list for architecture "
            'arm64, variant "v8", OS linux',
            PullCause.PLATFORM_MISSING,
        ),
        (
            "reading manifest 1 in docker.io/library/nginx: toomanyrequests: You have reached your pull rate limit",
            PullCause.RATE_LIMITED,
        ),
        (
            "image pull failed for nginx:1 because the registry is unavailable: pinging container registry m.example: "
            'Get "https://m.example/v2/": dial tcp 10.0.0.1:443: connect: connection refused',
            PullCause.UNREACHABLE,
        ),
        (
            'Back-off pulling image "nginx:1": RegistryUnavailable: image pull failed for nginx:1 because the registry '
            "is unavailable",
            PullCause.UNREACHABLE,
        ),
        (
            "image pull failed for nginx:1 because the signature validation failed: Source image rejected: A signature "
            "was required, but no signature exists",
            PullCause.OTHER,
        ),
        # Docker, through cri-dockerd
        (
            "Error response from daemon: manifest for nginx:1.99 not found: manifest unknown: manifest unknown",
            PullCause.NOT_FOUND,
        ),
        (
            "Error response from daemon: pull access denied for team/app, repository does not exist or may require "
            "'docker login': denied: requested access to the resource is denied",
            PullCause.DENIED,
        ),
        (
            'Error response from daemon: Head "https://m.example/v2/x/manifests/1": no basic auth credentials',
            PullCause.DENIED,
        ),
        (
            'Error response from daemon: Get "https://m.example/v2/": net/http: request canceled while waiting for '
            "connection (Client.Timeout exceeded while awaiting headers)",
            PullCause.UNREACHABLE,
        ),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", PullCause.PLATFORM_MISSING),
        ("Error response from daemon: toomanyrequests: Rate exceeded", PullCause.RATE_LIMITED),
        ("invalid reference format: repository name must be lowercase", PullCause.INVALID_NAME),
        # Google Artifact Registry
        (
            RPC.format(
                "PermissionDenied",
                f"{RESOLVE} failed to authorize: failed to fetch oauth token: unexpected status "
                "from GET request to https://europe-docker.pkg.dev/v2/token?scope=x: 403 Forbidden",
            ),
            PullCause.DENIED,
        ),
        # Something else
        ("failed to extract layer sha256:0: no space left on device", PullCause.OTHER),
        ('Container image "nginx:1" is not present with pull policy of Never', PullCause.OTHER),
        # No cause
        (f'Back-off pulling image "{NGINX}"', None),
        (f'Back-off pulling image "{MIRROR}"', None),
        ("", None),
    ],
)
def test_the_cause_is_derived_from_the_message(message: str, cause: PullCause | None) -> None:
    assert cause_of("ErrImagePull", message, MIRROR) is cause


def test_an_invalid_image_name_is_recognized_without_a_message() -> None:
    assert cause_of("InvalidImageName", "") is PullCause.INVALID_NAME
