"""Revision numbers of small tables, from which processes see that rows were changed or deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import F

M = TypeVar("M", bound=models.Model)


class Revision(models.Model):
    """The number of changes of a small table, which is raised in the transaction of each change."""

    table = models.CharField(max_length=64, primary_key=True)
    number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.table} #{self.number}"

    @classmethod
    def bump(cls, model: type[models.Model]) -> None:
        table = model._meta.db_table
        Revision.objects.bulk_create([Revision(table=table)], ignore_conflicts=True)
        Revision.objects.filter(table=table).update(number=F("number") + 1)


class RevisionedQuerySet(models.QuerySet[M]):
    """A queryset whose bulk changes raise the revision of its table."""

    def update(self, **kwargs: Any) -> int:
        with transaction.atomic():
            Revision.bump(self.model)
            return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            Revision.bump(self.model)
            return super().delete()

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        with transaction.atomic():
            Revision.bump(self.model)
            return super().bulk_create(objs, *args, **kwargs)


class RevisionedModel(models.Model):
    """A row of a small table that running processes hold in memory."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        with transaction.atomic():
            Revision.bump(type(self))
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            Revision.bump(type(self))
            return super().delete(*args, **kwargs)


def numbers(tables: Sequence[type[models.Model]]) -> dict[str, int]:
    """Return the revision numbers by table name; the number of a table that never changed is 0."""
    names = [model._meta.db_table for model in tables]
    stored = dict(Revision.objects.filter(table__in=names).values_list("table", "number"))
    return {name: stored.get(name, 0) for name in names}
