"""The HTTP views of the webhook: they parse a review, have it decided and respond.

A valid review always gets a response. After an internal error, that response admits the pod unless ``onError: deny``.
"""

from __future__ import annotations

import hmac
import time
from typing import Any, Final

import orjson
import structlog
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mirrors.images import MAX_REFERENCE
from mirrors.vocabulary.reasons import Reason
from swapper_project.process.monitoring import metrics
from swapper_project.serving import arrival
from swapper_project.serving.framing import MAX_BODY
from webhook.decision.review_limits import ReviewLimits
from webhook.http import deadline
from webhook.review import admission_review
from webhook.review.admission_review import AdmissionRequest, ReviewError
from webhook.review.reviewer import Outcome
from webhook.runtime.runtime import Runtime, runtime

log = structlog.get_logger(__name__)

RESPONSE_MARGIN: Final = 0.15
"""Seconds of the budget that are reserved for writing the response."""


MOST_LOGGED_IMAGES: Final = 20
"""The maximum number of images of a review that its log line contains; the others are counted."""

MOST_NAME_CHARACTERS: Final = 253
"""The maximum length of a name in the log. Kubernetes has this limit, but checks it only after mutating admission."""


class TooLargeError(APIException):
    status_code = 413
    default_detail = "The body is over 4 MiB, larger than any AdmissionReview of a Kubernetes API server."


def read_review(request: HttpRequest) -> AdmissionRequest:
    """Parse the review in a request's body of at most 4 MiB, whatever its content type. Raises APIException."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not declared.isdigit():
        raise ParseError("The Content-Length is not a number.")
    if int(declared) > MAX_BODY:
        raise TooLargeError
    chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    try:
        # Django treats a body without Content-Length as empty, but the WSGI server provides it.
        body = request.META["wsgi.input"].read(MAX_BODY + 1) if chunked else request.read(int(declared))
        if len(body) > MAX_BODY:
            raise TooLargeError
        return admission_review.parse(body)
    except APIException:
        raise
    except ReviewError as error:
        raise ParseError(str(error)) from error
    except Exception as error:
        log.warning("A request body could not be read; the request is rejected", error=repr(error)[:200])
        raise ParseError("The body could not be read: its HTTP chunks are broken, or it is cut off.") from error


class ReviewRenderer(BaseRenderer):
    """Renders JSON with orjson."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return orjson.dumps(data, default=str)


class JsonNegotiation(BaseContentNegotiation):
    """Selects JSON for all clients, and ignores the Accept header."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class AdmissionView(APIView):
    """Responds to an AdmissionReview. Methods other than ``POST`` get status 405."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = ()
    renderer_classes = (ReviewRenderer,)
    content_negotiation_class = JsonNegotiation
    http_method_names = ["post"]

    def handle_exception(self, exc: Exception) -> Response:
        """Return the framework's error response, with its Content-Length. The log line omits the path, because it can
        contain the secret token."""
        response = super().handle_exception(exc)
        metrics.ADMISSIONS.labels("OTHER", "refused").inc()
        peer = self.request.META.get("REMOTE_ADDR", "")
        log.warning("A request was refused", status=response.status_code, why=str(exc)[:300], peer=peer)
        response["Content-Length"] = str(len(ReviewRenderer().render(response.data)))
        return response

    def post(self, request: Request, token: str = "") -> HttpResponse:
        arrived_at = arrival.of_request()
        review = read_review(request._request)
        try:
            live = runtime()
            limits = _limits_of(live, review, token, arrived_at, request.META.get("QUERY_STRING", ""))
            outcome = live.reviewer.review(review, limits)
            self._log(review, outcome, arrived_at)
            return _review_response(review, outcome)
        except Exception:
            return self._error_response(review, arrived_at)

    @staticmethod
    def _log(review: AdmissionRequest, outcome: Outcome, arrived_at: float) -> None:
        seconds = time.monotonic() - arrived_at
        metrics.ADMISSIONS.labels(_operation(review), _outcome_label(outcome)).inc()
        metrics.ADMISSION_SECONDS.observe(seconds)
        unlogged = len(outcome.decisions) + outcome.unlisted - MOST_LOGGED_IMAGES
        log.info(
            "Admitted",
            uid=review.uid[:MOST_NAME_CHARACTERS],
            kind=review.kind[:MOST_NAME_CHARACTERS],
            operation=review.operation[:MOST_NAME_CHARACTERS],
            namespace=review.namespace[:MOST_NAME_CHARACTERS],
            name=review.name[:MOST_NAME_CHARACTERS],
            milliseconds=round(seconds * 1000, 1),
            **({"dry-run": True} if review.dry_run else {}),
            images=[
                {
                    "source-image": d.slot.image[:MAX_REFERENCE],
                    "target-image": str(d.target) if d.swap else None,
                    "reason": d.reason.value,
                    **({"filter": d.filter} if d.filter else {}),
                    **({"would": d.would.value} if d.would else {}),
                }
                for d in outcome.decisions[:MOST_LOGGED_IMAGES]
            ],
            **({"more-images": unlogged} if unlogged > 0 else {}),
        )

    @staticmethod
    def _error_response(review: AdmissionRequest, arrived_at: float) -> HttpResponse:
        """Return a response that admits the pod unchanged after an internal error, or denies it if ``onError`` is
        ``deny``."""
        log.exception("The review could not be decided; the pod is admitted unchanged", uid=review.uid)
        metrics.ADMISSIONS.labels(_operation(review), "error").inc()
        metrics.ADMISSION_SECONDS.observe(time.monotonic() - arrived_at)
        metrics.IMAGES.labels("keep", Reason.ERROR.value).inc()
        message = (
            "k8s-image-swapper: an error in the webhook; the images were not changed. "
            f"The cause is in its log under uid {review.uid[:64]}."
        )
        if _denies_on_error():
            return _review_response(review, Outcome([], [], [], denied=message))
        return _review_response(review, Outcome([], [], [message]))


class RootView(AdmissionView):
    """The admission view at ``/``, where ``GET`` is a probe."""

    http_method_names = ["get", "head", "post"]

    def get(self, request: Request) -> HttpResponse:
        return _json_response({"status": "ok"})


def _limits_of(live: Runtime, review: AdmissionRequest, token: str, arrived_at: float, query: str) -> ReviewLimits:
    expected = live.environment.webhook_token or ""
    trusted = not expected or hmac.compare_digest(token.encode(), expected.encode())
    return ReviewLimits(
        deadline=arrived_at + live.budget(deadline.timeout_of_query(query)) - RESPONSE_MARGIN,
        namespace=review.namespace,
        can_query=trusted,
        can_record=trusted and not review.dry_run,
    )


def _review_response(review: AdmissionRequest, outcome: Outcome) -> HttpResponse:
    return _json_response(
        admission_review.build_response(review, patch=outcome.patch, warnings=outcome.warnings, denied=outcome.denied)
    )


def _outcome_label(outcome: Outcome) -> str:
    """Return the ``outcome`` label of the metric."""
    if outcome.denied:
        return "denied"
    return "patched" if outcome.patch else "unchanged"


def _denies_on_error() -> bool:
    try:
        return runtime().snapshots.current.config.on_error == "deny"
    except Exception:
        return False


def _operation(review: AdmissionRequest) -> str:
    return review.operation if review.operation in {"CREATE", "UPDATE", "DELETE", "CONNECT"} else "OTHER"


def livez(request: HttpRequest) -> HttpResponse:
    return _response(b"ok\n", "text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """Respond that the webhook is ready once the configuration is loaded and the most recently seen images are in
    memory. A webhook without a database is ready after a few seconds too."""
    try:
        is_ready = runtime().is_ready()
    except Exception as error:
        log.error("Not ready", error=str(error))
        return _response(b"the configuration is not loaded: see the log\n", "text/plain", 503)
    if not is_ready:
        return _response(b"the images seen most recently are being loaded\n", "text/plain", 503)
    return _response(b"ok\n", "text/plain")


def metrics_page(request: HttpRequest) -> HttpResponse:
    return metrics.page("webhook")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _json_response({"detail": "There is no resource at this URL. Send reviews to /webhook."}, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return _json_response({"detail": "An error in the webhook; the cause is in its log."}, 500)


def _json_response(data: Any, status: int = 200) -> HttpResponse:
    return _response(orjson.dumps(data, default=str), "application/json", status)


def _response(body: bytes, content_type: str, status: int = 200) -> HttpResponse:
    """Return a response with Content-Length; without it, the server would send the body in chunks."""
    return HttpResponse(body, status=status, content_type=content_type, headers={"Content-Length": str(len(body))})
