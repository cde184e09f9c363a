"""What clusters report that needs attention: an unhealthy target, failing pulls, restart loops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.models import Count

from mirrors.admin.overview.attention import Entry
from mirrors.admin.tools import links
from mirrors.models import PullFailure, RestartLoop, TargetHealth
from mirrors.selectors.current_state import SmallFacts
from mirrors.selectors.pull_failures import health_words, pull_advice
from mirrors.vocabulary.pull_causes import PullSide


def cluster_entries(small: SmallFacts, targets: Iterable[TargetHealth], *, cluster: str) -> Iterator[Entry]:
    """Of one cluster, or of all if it is empty. Targets first: one is behind all pods. Asks the database only where
    there is something."""
    of = {"cluster": cluster} if cluster else {}
    health = links.of_cluster("targethealth", cluster)
    for row in targets:
        if cluster not in ("", row.cluster):
            continue
        yield Entry(f"Target {row.state}: {row.registry}", health, None, health_words(row), None, "Review", health)
    if small.is_failing:
        yield from _failing_pulls(cluster)
    if small.is_looping and (loops := RestartLoop.objects.active().filter(**of).count()):
        link = links.of_cluster("restartloop", cluster)
        words = "Pods of these workloads were deleted again and again right after they were swapped: they keep their "
        yield Entry("Restart loops", link, loops, f"{words}source. Exclude them with a filter.", None, "Review", link)


def _failing_pulls(cluster: str) -> Iterator[Entry]:
    """By cause and side; apart from them what a new pod would end."""
    rows = PullFailure.objects.filter(cluster=cluster) if cluster else PullFailure.objects.all()
    found = rows.values_list("cause", "at", "is_mirrored").annotate(n=Count("pk")).order_by("-n")
    counts: dict[tuple[str, str], int] = {}
    startable = 0
    for cause, at, is_mirrored, images in found:
        if at == PullSide.SOURCE and is_mirrored:
            startable += images
        else:
            counts[cause, at] = counts.get((cause, at), 0) + images
    for (cause, at), images in counts.items():
        link = links.of_cluster("pullfailure", cluster, cause__exact=cause, at__exact=at)
        title = f"Failing pulls from the {at}: {cause.replace('-', ' ')}"
        yield Entry(title, link, images, pull_advice(cause, at), None, "Review", link)
    if startable:
        link = links.of_cluster("pullfailure", cluster, at__exact=PullSide.SOURCE.value, is_mirrored__exact="1")
        words = "Their source fails, and the mirror has the image: new pods would start. The list has the commands."
        yield Entry("Pods to create again", link, startable, words, None, "Review", link)
