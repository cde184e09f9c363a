"""Mappings: source images, their places in a target registry, and the state of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from mirrors.models.base.cluster_column import cluster_field
from mirrors.models.configuration.registries import Registry

REFERENCE_LENGTH = 800
"""Characters of the longest reference: host 260, repository 255, tag 128, digest 136, and separators."""

DIGEST_LENGTH = 136
"""Characters of the longest digest: ``sha512:`` and 128 digits, and one to spare."""


class Existence(models.TextChoices):
    """Whether the target has an image. Unknown is never treated as absent."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Access(models.TextChoices):
    """The way in which the source of an image can be read."""

    UNKNOWN = "unknown"
    ANONYMOUS = "anonymous"
    CONFIGURED = "configured", "Configured credentials"
    SECRETS = "secrets", "Pull secrets of namespaces"
    UNREADABLE = "unreadable", "Not readable"
    """No credentials that can read the source were found: the image does not exist, or is private."""


NOT_PUBLIC: Final = frozenset({Access.CONFIGURED.value, Access.SECRETS.value, Access.UNREADABLE.value})
"""Values of ``access`` with which a namespace may use the image only if access was granted to it."""


class Obstacle(models.TextChoices):
    """An obstacle to a swap, found by comparing source and target. A successful copy clears it."""

    NONE = "", "None"
    TAMPERED = "tampered", "The image at the target was changed after it was written"
    IMMUTABLE_CONFLICT = "immutable-conflict", "The source tag was moved and the tag at the target is immutable"


def recorded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to update, with the time of the change, by which every webhook process finds the row with its
    next poll."""
    return {"changed_at": Now(), **fields}


class ImageMappingQuerySet(models.QuerySet["ImageMapping"]):
    def record(self, **fields: Any) -> int:
        """Update the fields such that every webhook process sees the change with its next poll."""
        return self.update(**recorded(fields))

    def in_repositories(self, names: Iterable[str]) -> ImageMappingQuerySet:
        """Mappings whose target is in one of the repositories (host and path). Each name makes the query larger."""
        condition = Q(pk__in=[])
        for name in names:
            condition |= Q(target__startswith=f"{name}:") | Q(target__startswith=f"{name}@")
        return self.filter(condition)

    def private(self) -> ImageMappingQuerySet:
        """Mappings whose source was read with credentials, because it could not be read without."""
        return self.filter(access__in=[Access.CONFIGURED, Access.SECRETS])


class ImageMapping(models.Model):
    """A source image and its place in one target registry. The state of the copy is that of ``last_job``."""

    source = models.CharField(max_length=REFERENCE_LENGTH, help_text="Canonical reference.")
    target_registry = models.ForeignKey(Registry, on_delete=models.PROTECT, related_name="mappings")
    target = models.CharField(max_length=REFERENCE_LENGTH)
    source_digest = models.CharField(max_length=DIGEST_LENGTH, blank=True)
    target_digest = models.CharField(max_length=DIGEST_LENGTH, blank=True)
    platforms = models.JSONField(default=list, blank=True)
    only_platforms = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="Platforms to which the copy was limited, comma-separated; empty: the target has all of the source.",
    )
    manifests = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text="Digests of the manifests that the index lists, one for each platform; empty: none, or not known.",
    )
    size_bytes = models.BigIntegerField(null=True, blank=True)
    existence = models.CharField(max_length=10, choices=Existence, default=Existence.UNKNOWN)
    verified_at = models.DateTimeField(
        null=True, blank=True, help_text="When the target was last checked for the image."
    )
    source_checked_at = models.DateTimeField(
        null=True, blank=True, help_text="When source and target were last compared."
    )
    signed = models.BooleanField(
        null=True, blank=True, help_text="Whether the target has a signature of the image; not verified."
    )
    signers = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text="Identities in the certificates of its signatures; not verified.",
    )
    referrers_checked_at = models.DateTimeField(
        null=True, blank=True, help_text="When signatures and other referrers were last copied."
    )
    referrers_error = models.TextField(
        blank=True, default="", db_default="", help_text="Why they were not copied the last time."
    )
    access = models.CharField(max_length=12, choices=Access, default=Access.UNKNOWN)
    obstacle = models.CharField(max_length=20, choices=Obstacle, blank=True, default="", db_default="")
    paused = models.BooleanField(default=False, help_text="While set, the image is neither mirrored nor swapped.")
    last_job = models.ForeignKey(
        "mirrors.MirrorJob", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    last_seen_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())

    objects = ImageMappingQuerySet.as_manager()

    class Meta:
        verbose_name = "mapping"
        constraints = [
            models.UniqueConstraint(fields=["target_registry", "source"], name="mapping_source_unique"),
            models.UniqueConstraint(fields=["target_registry", "target"], name="mapping_target_unique"),
            models.CheckConstraint(condition=Q(existence__in=Existence.values), name="mapping_existence_known"),
            models.CheckConstraint(condition=Q(access__in=Access.values), name="mapping_access_known"),
        ]
        indexes = [
            models.Index(fields=["changed_at", "id"], name="mapping_changed"),
            models.Index(fields=["last_seen_at", "id"], name="mapping_last_seen"),
            models.Index(fields=["id"], condition=~Q(existence="present"), name="mapping_not_present"),
            models.Index(fields=["source"], name="mapping_by_source"),
            # Unknown sizes are sorted after the smallest size.
            models.Index(Coalesce("size_bytes", -1).desc(), F("id").desc(), name="mapping_by_size"),
            # These indexes cover the dashboard's counts of images by state.
            models.Index(fields=["existence", "paused", "obstacle"], name="mapping_states"),
            models.Index(fields=["id"], condition=Q(paused=True), name="mapping_paused"),
            models.Index(fields=["id"], condition=~Q(obstacle=""), name="mapping_blocked"),
            models.Index(
                fields=["last_job"],
                condition=Q(paused=False, obstacle="") & ~Q(existence="present"),
                name="mapping_not_mirrored",
            ),
            # Without this index, the database would scan all mappings for each deleted job.
            models.Index(fields=["last_job"], condition=Q(last_job__isnull=False), name="mapping_of_last_job"),
        ]

    def __str__(self) -> str:
        return self.source


class MappingAccess(models.Model):
    """Whether the pull secrets of a namespace can read the source of a mapping, as last checked by a worker."""

    mapping = models.ForeignKey(ImageMapping, on_delete=models.CASCADE, related_name="accesses", db_index=False)
    cluster = cluster_field()
    namespace = models.CharField(max_length=63)
    granted = models.BooleanField()
    checked_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "pull secret check"
        verbose_name_plural = "pull secrets"
        # Not the table of earlier releases, which allows one row per mapping and namespace, whatever the cluster.
        db_table = "mirrors_clusteraccess"
        constraints = [
            models.UniqueConstraint(fields=["mapping", "cluster", "namespace"], name="cluster_access_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.namespace}: {'granted' if self.granted else 'not granted'}"
