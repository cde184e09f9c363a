"""Search that stays quick beside a million rows: images are looked for among the mappings, which are few, first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.text import smart_split, unescape_string_literal

from mirrors.models import ImageMapping, MirrorAttempt, MirrorJob, MirrorRequest
from mirrors.selectors.queries.known_clusters import places_in
from mirrors.vocabulary.clusters import ClusterNamespace

M = TypeVar("M", bound=Model)

FEW_MAPPINGS: Final = 1_000
"""Mappings up to which their keys are asked for. What more of them match is soon met by going through the rows."""

JOB_OF: Final[dict[type[Model], str]] = {MirrorJob: "pk", MirrorAttempt: "job", MirrorRequest: "job"}
"""The column with the number of a job, by kind of row."""

LONGEST_JOB_NUMBER: Final = 18
"""Digits of a job's number: more do not fit the column."""

IN_NAMESPACE: Final = ("workload", "pod_name")
"""Columns of names that are unique in a namespace: pages print them as ``NAMESPACE/NAME``."""


def search_words(text: str) -> list[str]:
    """Return the words that are searched for one by one; quotes keep several together."""
    parts = [part for part in smart_split(text) if part]
    return [unescape_string_literal(part) if _is_quoted(part) else part for part in parts]


def job_number(words: Sequence[str]) -> int | None:
    """The number of a job, as pages print it: ``485``, ``#485`` or ``Job 485``; None for other words."""
    named = words[1:] if len(words) == 2 and words[0].lower() == "job" else words
    text = named[0].removeprefix("#") if len(named) == 1 else ""
    return int(text) if text.isdecimal() and len(text) <= LONGEST_JOB_NUMBER else None


def search(rows: QuerySet[M], words: Iterable[str], fields: Iterable[str]) -> QuerySet[M]:
    """Rows that have all the words in their own fields, or in those of their mapping (``mapping__source``). Rows of a
    job are found by its number too.

    One condition over two tables is beyond every index; by keys of mappings each half of it has one. In rows with a
    namespace, a word ``CLUSTER/NAMESPACE`` is that of a known cluster too, and ``NAMESPACE/NAME`` a workload or a pod.
    """
    words = list(words)
    if not words:
        return rows
    own: list[str] = []
    of_images: dict[str, list[str]] = {}
    for field in fields:
        path, _, column = field.rpartition("__")
        if path.endswith("mapping"):
            of_images.setdefault(path, []).append(column)
        else:
            own.append(field)
    places = places_in(words) if "namespace" in own else {}
    found = _all(words, own, places) if own else Q()
    for path, columns in of_images.items():
        found |= _of_images(words, path, columns)
    if rows.model in JOB_OF and (number := job_number(words)) is not None:
        found |= Q(**{JOB_OF[rows.model]: number})
    return rows.filter(found)


def by_keys(rows: QuerySet[M], found: QuerySet[M]) -> QuerySet[M]:
    """``found``, which are some of ``rows``, by their keys if they are few. In the order of a list, Postgres would go
    through all rows for words that few of them have, beside an index for just these words."""
    keys = list(found.order_by().values_list("pk", flat=True)[: FEW_MAPPINGS + 1])
    return found if len(keys) > FEW_MAPPINGS else rows.filter(pk__in=keys)


def _is_quoted(part: str) -> bool:
    return len(part) > 1 and part[0] in "\"'" and part[0] == part[-1]


def _of_images(words: list[str], path: str, columns: list[str]) -> Q:
    matching = ImageMapping.objects.filter(_all(words, columns)).order_by()
    keys = list(matching.values_list("pk", flat=True)[: FEW_MAPPINGS + 1])
    if len(keys) > FEW_MAPPINGS:
        return _all(words, [f"{path}__{column}" for column in columns])
    if path == "job__mapping":
        return Q(job__in=MirrorJob.objects.filter(mapping__in=keys).order_by())
    return Q(**{f"{path}__in": keys})


def _all(words: list[str], fields: list[str], places: Mapping[str, ClusterNamespace] | None = None) -> Q:
    """Each word in any of the fields, or as the place of the row."""
    found = Q()
    for word in words:
        one = Q()
        for field in fields:
            one |= Q(**{f"{field}__icontains": word})
        if place := (places or {}).get(word):
            one |= Q(cluster=place.cluster, namespace__icontains=place.namespace)
        found &= one | _in_namespace(word, fields)
    return found


def _in_namespace(word: str, fields: Iterable[str]) -> Q:
    """``shop/checkout`` is the workload or the pod of a namespace; no condition for other words and rows."""
    namespace, _, name = word.partition("/")
    found = Q()
    if namespace and name and "namespace" in fields:
        for field in fields:
            if field in IN_NAMESPACE:
                found |= Q(**{"namespace": namespace, f"{field}__icontains": name})
    return found
