"""What an operator does about a failed copy, by its error class; the message beside it names image and registry."""

from __future__ import annotations

from typing import Final

from mirrors.models import ErrorClass

ADVICE: Final[dict[str, str]] = {
    ErrorClass.NOT_FOUND: "Check the image's name and tag at its source. Registries also say this of private images: "
    "then a log-in is missing.",
    ErrorClass.DENIED: "The log-in is known and may not do this. Give it the right to pull (at a source) or to push "
    "(at the target), then retry.",
    ErrorClass.UNAUTHORIZED: "The registry did not take the log-in, or wants one. Check the registry's entry under "
    "Registries with Test connection, then retry.",
    ErrorClass.RATE_LIMITED: "The registry asks to be left alone for a while. Configure a log-in for it, which is "
    "allowed more, or wait: jobs go on by themselves.",
    ErrorClass.UNAVAILABLE: "The registry, or the way to it, did not work. Test the connection under Registries; look "
    "at network policies, proxies and name resolution.",
    ErrorClass.TIMEOUT: "The registry did not answer in time. If it goes on, look at the network between the workers "
    "and the registry.",
    ErrorClass.BAD_DIGEST: "The source sent something else than its digest says: the image is damaged there, or "
    "somebody sits between. Push it anew at the source.",
    ErrorClass.UNSUPPORTED: "The image has a form that can't be mirrored, such as the old schema 1. Build or push it "
    "anew with a current tool.",
    ErrorClass.INVALID: "The job can't be done as things are configured; its message says what to change.",
    ErrorClass.TOO_LARGE: "The image is larger than copy.maxImageBytes allows. Raise it, or leave the image out with "
    "a filter.",
    ErrorClass.ADDRESS_REFUSED: "The host has an address that is not public. If the registry is yours, add it under "
    "Registries.",
    ErrorClass.TLS: "The registry's certificate is not trusted. Name its authority (caFile, or trustedCA for all), or "
    "mend the certificate.",
    ErrorClass.TAG_IMMUTABLE: "The source's tag has moved and the target's tags may not. Use a new tag, or make the "
    "repository's tags mutable.",
    ErrorClass.CONFLICT: "Somebody changed the same thing at the same time. It is tried again by itself.",
    ErrorClass.CREDENTIAL: "The log-in could not be read. Check that the file, variable or Secret that the registry's "
    "entry names is there for the workers.",
    ErrorClass.WORKER_LOST: "The worker went away in mid-copy. Look for workers that were killed: out of memory, or "
    "evicted.",
    ErrorClass.INTERNAL: "An error in this program: the attempt's log has its traceback. Please report it.",
}


def advice_for(error_class: str) -> str:
    """Empty where nothing failed."""
    return ADVICE.get(error_class, "")
