"""Advice about a copy that failed or waits for its next attempt: one next step for each class of errors.

There is no advice if the message of the error already names the next step. The code that raises an error declares that
with `says_step`, and the job records it.
"""

from __future__ import annotations

from typing import Final

from mirrors.models import ErrorClass, JobStatus, MirrorJob

ERROR_ADVICE: Final[dict[str, str]] = {
    ErrorClass.NOT_FOUND: "Check the image's name and tag at its source. Registries also return this for private "
    "images: in that case, add credentials that can read it.",
    ErrorClass.DENIED: "Give the credentials permission to pull (at a source) or to push (at the target), or allow "
    "them for the namespace of the pod. Then retry.",
    ErrorClass.UNAUTHORIZED: "The registry did not accept the credentials, or requires some. Check the registry's "
    "entry under Registries with Test connection, then retry.",
    ErrorClass.RATE_LIMITED: "The registry limits requests. Queued copies continue when the limit ends; retry "
    "failed ones then. Configure credentials for the registry to raise its limit.",
    ErrorClass.UNAVAILABLE: "The registry could not be reached, or returned an error. Test the connection under "
    "Registries; check network policies, proxies and name resolution.",
    ErrorClass.TIMEOUT: "The registry did not respond in time. If this continues, check the network between the "
    "workers and the registry.",
    ErrorClass.BAD_DIGEST: "The data from the registry does not match its digest: the image is damaged there, or was "
    "changed in transit. Push the image again at its source.",
    ErrorClass.UNSUPPORTED: "The image has a form that cannot be mirrored, such as the old schema 1. Build or push it "
    "again with a current tool.",
    ErrorClass.INVALID: "The message says what cannot be used and where; change it there, then retry.",
    ErrorClass.TOO_LARGE: "Raise copy.maxImageBytes or set platforms in the configuration, or exclude the image with a "
    "filter.",
    ErrorClass.ADDRESS_REFUSED: "The host has an address that is not public. If the registry is yours, add it under "
    "Registries.",
    ErrorClass.TLS: "The TLS connection failed. For a certificate that is not trusted, add its authority (caFile, or "
    "trustedCA for all); for a registry that speaks plain HTTP set insecure.",
    ErrorClass.TAG_IMMUTABLE: "The source's tag has moved, and the target's tags are immutable. Delete the tag at the "
    "target, make the repository's tags mutable, or refer to the image by digest.",
    ErrorClass.CONFLICT: "Another client changed the same thing at the same time. The copy is tried again; if "
    "this continues, check the registry.",
    ErrorClass.CREDENTIAL: "The credentials could not be read. Check that the workers can read the file, variable "
    "or Secret that the registry's entry names.",
    ErrorClass.WORKER_LOST: "The worker stopped during the copy. Check for workers that were killed: out of memory, or "
    "evicted.",
    ErrorClass.INTERNAL: "This is an error in k8s-image-swapper. Please report it with the traceback from the "
    "attempt's log.",
}


WAITING_ADVICE: Final[dict[str, str]] = {
    ErrorClass.RATE_LIMITED: "The registry limits requests. The copies continue without your action when the limit "
    "ends. Configure credentials for the registry to raise its limit.",
    ErrorClass.DENIED: "Give the credentials permission to pull (at a source) or to push (at the target), or allow "
    "them for the namespace of the pod. The next attempt uses them.",
    ErrorClass.UNAUTHORIZED: "The registry did not accept the credentials, or requires some. Check the registry's "
    "entry under Registries with Test connection. The next attempt uses the corrected entry.",
    ErrorClass.INVALID: "The message says what cannot be used and where; change it there before the next attempt.",
}
"""Advice for waiting copies, for errors whose ``ERROR_ADVICE`` is to retry the copy."""


def advice_for(error_class: str) -> str:
    """Return the advice for a class of errors; empty if nothing failed."""
    return ERROR_ADVICE.get(error_class, "")


def waiting_advice_for(error_class: str) -> str:
    """Return the advice for copies that wait for their next attempt after an error, which users need not retry."""
    return WAITING_ADVICE.get(error_class) or advice_for(error_class)


def next_step(job: MirrorJob) -> str:
    """Return the advice for a job's error; empty if the error's message already names the next step, more precisely."""
    if job.error_says_step:
        return ""
    is_waiting = job.status == JobStatus.PENDING
    return waiting_advice_for(job.error_class) if is_waiting else advice_for(job.error_class)
