"""Registries that images come from and go to."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from mirrors.images import InvalidReferenceError, normalise_host
from mirrors.models.revision import RevisionedModel, RevisionedQuerySet

HOST = RegexValidator(
    r"^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?(:\d{1,5})?$|^\[[0-9a-f:]+\](:\d{1,5})?$",
    "Write a registry host, in lower case and without a scheme: registry.example.com or registry.example.com:5000.",
)
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
CREDENTIAL_REFERENCE = RegexValidator(
    r"^(env:SWAPPER_CRED_[A-Z0-9_]+|file:[A-Za-z0-9][A-Za-z0-9._-]*|"
    r"secret:[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9._-]{1,253})$",
    "Name where the password is: env:SWAPPER_CRED_NAME (an environment variable of the worker), file:NAME (a file in "
    "the credentials directory) or secret:NAME/KEY (a Secret of our own namespace with the label "
    "k8s-image-swapper/credential). A password itself is never stored here.",
)


class RegistryRole(models.TextChoices):
    SOURCE = "source"
    TARGET = "target"


class RegistryKind(models.TextChoices):
    AWS = "aws", "Amazon ECR"
    GCP = "gcp", "Google Artifact Registry"
    OCI = "oci", "OCI registry"


class ManagedBy(models.TextChoices):
    CONFIG = "config", "configuration file"
    OPERATOR = "operator"


class Registry(RevisionedModel):
    """A registry, and by which reference its log-in is found; never the log-in itself."""

    name = models.CharField(max_length=200)
    role = models.CharField(max_length=10, choices=RegistryRole, default=RegistryRole.SOURCE)
    kind = models.CharField(max_length=10, choices=RegistryKind, default=RegistryKind.OCI)
    endpoint = models.CharField(max_length=260, validators=[HOST], help_text="Host, with its port if it has one.")
    prefix = models.CharField(max_length=255, blank=True, help_text="Path in front of every repository at a target.")
    username = models.CharField(
        max_length=255,
        blank=True,
        verbose_name="user name",
        validators=[RegexValidator(r"^[^:\x00-\x1f\x7f]+\Z", "A user name has no colon and no control characters.")],
    )
    credential_ref = models.CharField(
        max_length=512, blank=True, validators=[CREDENTIAL_REFERENCE], verbose_name="credential reference"
    )
    insecure = models.BooleanField(default=False, help_text="Talk plain HTTP to this host.")
    ca_file = models.CharField(
        max_length=512,
        blank=True,
        verbose_name="CA file",
        help_text="Certificate authorities beside the system's: a PEM file's name in the credentials directory.",
    )
    settings = models.JSONField(default=dict, blank=True)
    managed_by = models.CharField(max_length=10, choices=ManagedBy, default=ManagedBy.OPERATOR, editable=False)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = RevisionedQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "registries"
        constraints = [
            models.UniqueConstraint(
                fields=["role", "endpoint", "prefix"],
                name="registry_endpoint_unique",
                violation_error_message="There is a registry of this host already: edit that one (or the "
                "configuration file, if it comes from there).",
            ),
            models.CheckConstraint(condition=Q(role__in=RegistryRole.values), name="registry_role_known"),
            models.CheckConstraint(condition=Q(kind__in=RegistryKind.values), name="registry_kind_known"),
        ]

    def clean(self) -> None:
        """What the configuration file would refuse too."""
        wildcard = "*." if self.endpoint.startswith("*.") else ""
        try:
            self.endpoint = wildcard + normalise_host(self.endpoint.removeprefix(wildcard))
        except InvalidReferenceError as error:
            raise ValidationError({"endpoint": str(error)}) from error
        if self.managed_by == ManagedBy.OPERATOR and self.ca_file and not FILE_NAME.match(self.ca_file):
            text = "Put the PEM file into the workers' credentials directory, and write its name here, without a path."
            raise ValidationError({"ca_file": text})
        if bool(self.username) != bool(self.credential_ref):
            raise ValidationError({"credential_ref": "A user name and the reference to its password go together."})

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Another host never gets this one's log-in."""
        if self.pk and Registry.objects.filter(pk=self.pk).exclude(endpoint=self.endpoint).exists():
            self.username = self.credential_ref = ""
        super().save(*args, **kwargs)

    def covers(self, host: str) -> bool:
        """Whether the host is this registry's: by name, by another name of it, or by a wildcard."""
        return host.endswith(self.endpoint[1:]) if self.endpoint.startswith("*.") else host in self._names

    def lookup_of(self, field: str) -> dict[str, str | list[str]]:
        """How rows are found whose ``field`` is a host that this registry covers."""
        if self.endpoint.startswith("*."):
            return {f"{field}__endswith": self.endpoint[1:]}
        return {f"{field}__in": self._names} if len(self._names) > 1 else {f"{field}__exact": self.endpoint}

    @property
    def _names(self) -> list[str]:
        return [self.endpoint, *self.settings.get("aliases", ())]

    def __str__(self) -> str:
        return self.name or "/".join(filter(None, (self.endpoint, self.prefix)))
