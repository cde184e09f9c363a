"""Requests of users by reference: the target is the active one."""

from __future__ import annotations

from collections.abc import Sequence

from mirrors.images import ImageRef
from mirrors.images.target_name import target_name
from mirrors.models import MirrorJob, Priority, Registry, RegistryRole, Trigger
from mirrors.registries.allowed import AllowedSources
from mirrors.services.actions import Subject, note_actions
from mirrors.services.jobs import JobStateError
from mirrors.services.mirroring import MirrorOrder, request_mirror

PROBLEMS = {
    "target-name-taken": "another image already has its name at the target; see the mappings in the admin",
    "paused": "its mapping is paused; resume it first",
    "failed-recently": "its last copy failed a short time ago; see the error of the job, then try again later",
}


def order_image(*, image: str, requested_by: str, allowed_hosts: Sequence[str] = ()) -> tuple[MirrorJob, bool]:
    """The job that mirrors an image now, and whether it is new. Raises JobStateError if it cannot be mirrored.

    ``allowed_hosts`` are those of the configuration file; without any, all are allowed.
    """
    registry = Registry.objects.filter(role=RegistryRole.TARGET, enabled=True).first()
    if registry is None:
        raise JobStateError(
            "There is no target yet: run manage.py prepare with a configuration file that has a target."
        )
    source = ImageRef.parse(image)
    aliases = registry.settings.get("aliases", ())
    name = target_name(registry.endpoint, registry.prefix, aliases=aliases, insecure=registry.insecure)
    if name.contains(source):
        raise JobStateError(f"{source} is already at the target: use the reference of its source.")
    if refusal := AllowedSources(allowed_hosts, _is_configured).refusal(source.registry):
        raise JobStateError(refusal)
    order = MirrorOrder(
        source=str(source),
        target=str(name.retarget(source)),
        trigger=Trigger.OPERATOR,
        priority=Priority.OPERATOR,
        requested_by=requested_by,
    )
    outcome = request_mirror(target_registry_id=registry.id, order=order)
    if outcome.job_id is None:
        raise JobStateError(f"{source} can't be mirrored now: {PROBLEMS.get(outcome.problem, outcome.problem)}.")
    subjects = [Subject(str(source), outcome.mapping_id, outcome.job_id)] if outcome.is_new else []
    note_actions(actor=requested_by, action="mirror", subjects=subjects)
    return MirrorJob.objects.select_related("mapping").get(id=outcome.job_id), outcome.is_new


def _is_configured(host: str) -> bool:
    sources = Registry.objects.filter(role=RegistryRole.SOURCE, enabled=True)
    return any(row.covers(host) for row in sources)
