"""A search that stays fast with a million rows, because it first finds images in the mappings, which are few."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.text import smart_split, unescape_string_literal

from mirrors.models import ImageMapping, MirrorAttempt, MirrorJob, MirrorRequest
from mirrors.selectors.queries.known_clusters import namespaces_in
from mirrors.vocabulary.clusters import ClusterNamespace

M = TypeVar("M", bound=Model)

FEW_MAPPINGS: Final = 1_000
"""The most matching mappings that are selected by key. If more match, a scan of the rows soon finds results."""

JOB_OF: Final[dict[type[Model], str]] = {MirrorJob: "pk", MirrorAttempt: "job", MirrorRequest: "job"}
"""The column with the number of a job, by model."""

LONGEST_JOB_NUMBER: Final = 18
"""The most digits of a job's number that fit the column."""

IN_NAMESPACE: Final = ("workload", "pod_name")
"""Columns of names that are unique within a namespace; pages print them as ``NAMESPACE/NAME``."""


def search_words(text: str) -> list[str]:
    """Split a search text into words. Quoted words stay together."""
    parts = [part for part in smart_split(text) if part]
    return [unescape_string_literal(part) if _is_quoted(part) else part for part in parts]


def job_number(words: Sequence[str]) -> int | None:
    """Return a job's number from the forms that pages print, ``485``, ``#485`` or ``Job 485``; None for other words."""
    number_words = words[1:] if len(words) == 2 and words[0].lower() == "job" else words
    text = number_words[0].removeprefix("#") if len(number_words) == 1 else ""
    return int(text) if text.isdecimal() and len(text) <= LONGEST_JOB_NUMBER else None


def search(rows: QuerySet[M], words: Iterable[str], fields: Iterable[str]) -> QuerySet[M]:
    """Return the rows that contain all words in their own fields, or in those of their mapping (``mapping__source``).
    The number of a job also finds the job's rows.

    No index serves one condition over two tables, so matching mappings are found first and become a condition on keys.
    In rows with a namespace, a word can also be ``CLUSTER/NAMESPACE`` with a known cluster, or ``NAMESPACE/NAME`` of a
    workload or pod.
    """
    words = list(words)
    if not words:
        return rows
    own_fields: list[str] = []
    mapping_fields: dict[str, list[str]] = {}
    for field in fields:
        path, _, column = field.rpartition("__")
        if path.endswith("mapping"):
            mapping_fields.setdefault(path, []).append(column)
        else:
            own_fields.append(field)
    namespaces = namespaces_in(words) if "namespace" in own_fields else {}
    condition = _all(words, own_fields, namespaces) if own_fields else Q()
    for path, columns in mapping_fields.items():
        condition |= _by_mapping(words, path, columns)
    if rows.model in JOB_OF and (number := job_number(words)) is not None:
        condition |= Q(**{JOB_OF[rows.model]: number})
    return rows.filter(condition)


def by_keys(rows: QuerySet[M], found: QuerySet[M]) -> QuerySet[M]:
    """Select ``found``, a subset of ``rows``, by key if it is small. Otherwise, Postgres would scan all rows in the
    order of the list for words that few rows contain, although an index serves these words."""
    keys = list(found.order_by().values_list("pk", flat=True)[: FEW_MAPPINGS + 1])
    return found if len(keys) > FEW_MAPPINGS else rows.filter(pk__in=keys)


def _is_quoted(part: str) -> bool:
    return len(part) > 1 and part[0] in "\"'" and part[0] == part[-1]


def _by_mapping(words: list[str], path: str, columns: list[str]) -> Q:
    matching = ImageMapping.objects.filter(_all(words, columns)).order_by()
    keys = list(matching.values_list("pk", flat=True)[: FEW_MAPPINGS + 1])
    if len(keys) > FEW_MAPPINGS:
        return _all(words, [f"{path}__{column}" for column in columns])
    if path == "job__mapping":
        return Q(job__in=MirrorJob.objects.filter(mapping__in=keys).order_by())
    return Q(**{f"{path}__in": keys})


def _all(words: list[str], fields: list[str], namespaces: Mapping[str, ClusterNamespace] | None = None) -> Q:
    """Return the condition that each word is in one of the fields, or names the namespace of the row."""
    condition = Q()
    for word in words:
        word_condition = Q()
        for field in fields:
            word_condition |= Q(**{f"{field}__icontains": word})
        if namespace := (namespaces or {}).get(word):
            word_condition |= Q(cluster=namespace.cluster, namespace__icontains=namespace.namespace)
        condition &= word_condition | _in_namespace(word, fields)
    return condition


def _in_namespace(word: str, fields: Iterable[str]) -> Q:
    """Return the condition for a word such as ``shop/checkout``, a workload or pod in a namespace; empty for other
    words and for rows without these fields."""
    namespace, _, name = word.partition("/")
    condition = Q()
    if namespace and name and "namespace" in fields:
        for field in fields:
            if field in IN_NAMESPACE:
                condition |= Q(**{"namespace": namespace, f"{field}__icontains": name})
    return condition
