"""API tokens, which are stored as a hash with a name, a role, an expiry and their last use; and the cache that counts
requests for limits."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser
from django.db import models
from django.utils import timezone
from knox.models import AbstractAuthToken, AuthTokenManager

from mirrors.accounts.roles import ROLE_CHOICES, Role

LIFETIME = timedelta(days=90)
"""The default lifetime of a token. Scripts are reviewed about once a quarter."""

USED_WRITTEN_EVERY = timedelta(minutes=1)
"""The minimum time between two writes of a token's last use, so that a script with many requests does not write a row
with each."""


class ApiToken(AbstractAuthToken):
    """A token, stored as a hash. The token itself is shown once, when it is created."""

    name = models.CharField(max_length=200, verbose_name="description", help_text="What the token is used for.")
    role = models.PositiveSmallIntegerField(choices=ROLE_CHOICES, default=Role.VIEWER)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[AuthTokenManager] = AuthTokenManager()

    class Meta:
        verbose_name = "API token"

    @classmethod
    def issue(
        cls, *, user: AbstractBaseUser, name: str, role: Role, expiry: timedelta = LIFETIME
    ) -> tuple[ApiToken, str]:
        """Create a token. Return it with the text that is shown once."""
        row, text = cls.objects.create(user, expiry=expiry, name=name, role=role)  # type: ignore[no-untyped-call]
        return row, text

    @property
    def public_id(self) -> str:
        """The ID that the API and the change history show instead of the key, because the key is a digest of the token
        itself."""
        return hashlib.sha256(str(self.digest).encode()).hexdigest()[:16]

    @property
    def has_expired(self) -> bool:
        return self.expiry is not None and self.expiry <= timezone.now()

    def record_use(self) -> None:
        """Record the use of the token, at most once a minute."""
        now = timezone.now()
        recently = models.Q(last_used_at__gt=now - USED_WRITTEN_EVERY)
        if self.last_used_at is None or now - self.last_used_at > USED_WRITTEN_EVERY:
            ApiToken.objects.filter(pk=self.pk).exclude(recently).update(last_used_at=now)

    def __str__(self) -> str:
        return self.name


class CacheEntry(models.Model):
    """A row of Django's cache in the database, created by a migration and pruned like other rows."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.cache_key
