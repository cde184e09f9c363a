"""Source and target registries of images."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from mirrors.images import DEFAULT_REGISTRY, DOCKER_HUB_ALIASES, InvalidReferenceError, TargetName, normalise_host
from mirrors.images.target_name import target_name
from mirrors.models.base.cluster_column import cluster_field
from mirrors.models.base.revisions import RevisionedModel, RevisionedQuerySet
from mirrors.vocabulary.clusters import ALL_CLUSTERS

HOST = RegexValidator(
    r"^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?(:\d{1,5})?$|^\[[0-9a-f:]+\](:\d{1,5})?$",
    "Write a registry host, in lower case and without a scheme: registry.example.com or registry.example.com:5000.",
)
CREDENTIALS: Final = ("username", "credential_ref")
"""The fields with our credentials for a registry, which are valid only for its host."""

CREDENTIALS_CLEARED: Final = (
    "The host was changed, so the credentials of the former host were removed. If the new host needs credentials, "
    "enter its username and credentials reference."
)

_LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
CLUSTER_NAMESPACE: Final = re.compile(rf"\*|({_LABEL}/)?{_LABEL}")
MOST_NAMESPACES: Final = 500
"""Limited, because each is compared with a pod's namespace at admission, and shown on the registry's page."""

DUPLICATE_HOST: Final = (
    "A registry with this host already exists: edit that one (or the configuration file, if it comes from there)."
)

PLAIN_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
CREDENTIAL_REFERENCE = RegexValidator(
    r"^(env:SWAPPER_CRED_[A-Z0-9_]+|file:[A-Za-z0-9][A-Za-z0-9._-]*|"
    r"secret:[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/[A-Za-z0-9._-]{1,253})$",
    "Where the password is stored: env:SWAPPER_CRED_NAME (an environment variable of the worker), file:NAME (a file in "
    "the credentials directory) or secret:NAME/KEY (a Secret of our own namespace with the label "
    "k8s-image-swapper/credential). The password itself is never stored here.",
)


def _is_host(text: str) -> bool:
    try:
        HOST(text)
    except ValidationError:
        return False
    return True


def validate_namespaces(names: object) -> None:
    """Refuse any value but a list of namespaces, each written as ``NAMESPACE``, ``CLUSTER/NAMESPACE``, or ``*`` for
    all."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValidationError('Enter a list of namespace names, such as ["shop", "billing"].')
    if len(names) > MOST_NAMESPACES:
        raise ValidationError(f"At most {MOST_NAMESPACES} namespaces; write * for all.")
    for name in names:
        if not CLUSTER_NAMESPACE.fullmatch(name):
            raise ValidationError(
                f"{name[:80]!r} is not the name of a namespace; write names such as shop, prod/shop for a namespace "
                "of one cluster, or * for all."
            )


class RegistryRole(models.TextChoices):
    SOURCE = "source"
    TARGET = "target"


class RegistryKind(models.TextChoices):
    AWS = "aws", "Amazon ECR"
    GCP = "gcp", "Google Artifact Registry"
    OCI = "oci", "OCI registry"


class ManagedBy(models.TextChoices):
    CONFIG = "config", "Configuration file"
    OPERATOR = "operator", "Admin or API"


class RegistryQuerySet(RevisionedQuerySet["Registry"]):
    def with_alias(self, host: str) -> Registry | None:
        """Return an enabled source registry that has this host among its aliases, or None."""
        sources = self.filter(role=RegistryRole.SOURCE, enabled=True)
        return next((row for row in sources if host in row.settings.get("aliases", ())), None)


class Registry(RevisionedModel):
    """A registry, with a reference to its credentials, but never the credentials themselves."""

    name = models.CharField(max_length=200)
    role = models.CharField(max_length=10, choices=RegistryRole, default=RegistryRole.SOURCE)
    kind = models.CharField(max_length=10, choices=RegistryKind, default=RegistryKind.OCI)
    endpoint = models.CharField(
        max_length=260, validators=[HOST], help_text="Host name, with the port if it is not the default."
    )
    prefix = models.CharField(max_length=255, blank=True, help_text="Path before every repository at the target.")
    username = models.CharField(
        max_length=255,
        blank=True,
        verbose_name="username",
        validators=[
            RegexValidator(r"^[^:\x00-\x1f\x7f]+\Z", "A username cannot contain a colon or control characters.")
        ],
    )
    credential_ref = models.CharField(
        max_length=512, blank=True, validators=[CREDENTIAL_REFERENCE], verbose_name="credentials reference"
    )
    namespaces = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        validators=[validate_namespaces],
        help_text="Namespaces that may use private images read with these credentials; CLUSTER/NAMESPACE for a "
        "namespace of one cluster; * for all; empty: public images only.",
    )
    insecure = models.BooleanField(default=False, help_text="Use plain HTTP for this host.")
    ca_file = models.CharField(
        max_length=512,
        blank=True,
        verbose_name="CA file",
        help_text="Additional certificate authorities: name of a PEM file in the credentials directory.",
    )
    settings = models.JSONField(default=dict, blank=True)
    managed_by = models.CharField(max_length=10, choices=ManagedBy, default=ManagedBy.OPERATOR, editable=False)
    cluster = cluster_field(
        default=ALL_CLUSTERS, help_text="Name of the cluster that uses the registry; empty: all clusters."
    )
    clusters = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        editable=False,
        help_text="Clusters whose configuration files name this target.",
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = RegistryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "registries"
        constraints = [
            models.UniqueConstraint(
                fields=["role", "cluster", "endpoint", "prefix"],
                name="registry_of_cluster_unique",
                violation_error_message=DUPLICATE_HOST,
            ),
            models.CheckConstraint(condition=Q(role__in=RegistryRole.values), name="registry_role_known"),
            models.CheckConstraint(condition=Q(kind__in=RegistryKind.values), name="registry_kind_known"),
        ]

    def clean(self) -> None:
        """Refuse values that the configuration file would refuse too."""
        # The validator of the field reports text that is not a host.
        if _is_host(self.endpoint):
            self._clean_endpoint()
        if self.managed_by == ManagedBy.OPERATOR and self.ca_file and not PLAIN_FILE_NAME.match(self.ca_file):
            text = "Put the PEM file into the workers' credentials directory, and write its name here, without a path."
            raise ValidationError({"ca_file": text})
        if bool(self.username) != bool(self.credential_ref):
            raise ValidationError({"credential_ref": "Set the username and the credentials reference together."})

    def _clean_endpoint(self) -> None:
        try:
            self.endpoint = _normalised(self.endpoint)
        except InvalidReferenceError as error:
            raise ValidationError({"endpoint": str(error)}) from error
        self._reject_duplicate_of_file()
        is_source = self.role == RegistryRole.SOURCE
        if is_source and (other := Registry.objects.exclude(pk=self.pk).with_alias(self.endpoint)):
            text = f"{other} is the same registry under another of its names: edit that one."
            raise ValidationError({"endpoint": text})

    def _reject_duplicate_of_file(self) -> None:
        """Refuse a row for all clusters that duplicates a row of one cluster's configuration file. The database refuses
        duplicates among the rows of one cluster, and among those for all clusters."""
        if self.managed_by == ManagedBy.CONFIG or self.cluster != ALL_CLUSTERS:
            return
        duplicates = Registry.objects.filter(role=self.role, endpoint=self.endpoint, prefix=self.prefix)
        if duplicates.filter(managed_by=ManagedBy.CONFIG).exclude(pk=self.pk).exclude(cluster=ALL_CLUSTERS).exists():
            raise ValidationError({NON_FIELD_ERRORS: DUPLICATE_HOST})

    def clear_credentials_of_former_host(self, *, provided: Collection[str]) -> bool:
        """If the host was changed, clear the credentials that were not ``provided`` with the new one, because another
        host must never get the credentials of the former one. Return whether any were cleared."""
        stored = Registry.objects.filter(pk=self.pk).values_list("endpoint", flat=True).first() if self.pk else None
        try:
            host_has_changed = stored is not None and stored != _normalised(self.endpoint)
        except InvalidReferenceError:
            return False
        cleared = [name for name in CREDENTIALS if host_has_changed and name not in provided and getattr(self, name)]
        for name in cleared:
            setattr(self, name, "")
        return bool(cleared)

    def covers(self, host: str) -> bool:
        """Return whether this registry covers the host: by its name, an alias or a wildcard."""
        return host.endswith(self.endpoint[1:]) if self.endpoint.startswith("*.") else host in self.names

    def lookup_of(self, field: str) -> dict[str, str | list[str]]:
        """Return the query lookup for rows whose ``field`` is a host that this registry covers."""
        if self.endpoint.startswith("*."):
            return {f"{field}__endswith": self.endpoint[1:]}
        return {f"{field}__in": self.names} if len(self.names) > 1 else {f"{field}__exact": self.endpoint}

    @property
    def target_name(self) -> TargetName:
        """The naming scheme of images at this target."""
        aliases = self.settings.get("aliases", ())
        return target_name(self.endpoint, self.prefix, aliases=aliases, insecure=self.insecure)

    @property
    def names(self) -> list[str]:
        """All names of the registry's host, the endpoint first."""
        hub = sorted(DOCKER_HUB_ALIASES) if self.endpoint == DEFAULT_REGISTRY else ()
        return [self.endpoint, *self.settings.get("aliases", ()), *hub]

    def __str__(self) -> str:
        return self.name or "/".join(filter(None, (self.endpoint, self.prefix)))


def _normalised(endpoint: str) -> str:
    """Return the host as references name it. A leading wildcard is kept. Raises InvalidReferenceError."""
    wildcard = "*." if endpoint.startswith("*.") else ""
    return wildcard + normalise_host(endpoint.removeprefix(wildcard))
