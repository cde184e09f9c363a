"""Filters that fail, or take too much memory or time, lose only their own result. Later filters still run."""

from __future__ import annotations

from pathlib import Path

from mirrors.demo.registry import MemoryRegistry
from tests.support.ports import wait_until
from tests.support.system import pod_of
from tests.webhook.mirrored import image, known_pods, mirrored_webhook

EXPLOSION = "[@]" + ".[@,@][]" * 20 + " == 'x'"
RAISES = "abs(container.image) == `1`"
NO_BOOLEAN = "container.image"
LAST = "contains(container.image, 'filtered-out')"


def test_failing_filters_do_not_affect_later_filters_or_known_pods(
    source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/swapper.sqlite3"
    with mirrored_webhook(url, tmp_path, source, target) as webhook, known_pods(webhook, source) as load:
        filters = [{"jmespath": text} for text in (RAISES, NO_BOOLEAN, EXPLOSION, LAST)]
        text = webhook.config.read_text()
        sources = f"  filters: {filters!r}\n"
        webhook.config.write_text(text.replace("source:\n", f"source:\n{sources}"))
        wait_until(
            lambda: webhook.reasons(webhook.admit(pod_of("example.com/filtered-out:1"))) == ["filtered"],
            what="the filter behind those that fail",
        )
        before = load.answers
        wait_until(lambda: load.answers > before + 40, what="the load's answers")
        errors = webhook.metrics()
        for position in range(3):
            assert errors[f'swapper_filter_errors_total{{filter="source.filters[{position}]"}}'] > 40
        assert errors.get('swapper_filter_errors_total{filter="source.filters[3]"}', 0) == 0

        # Many containers exhaust the budget of all filters of a review. The remaining images are kept, and this is
        # reported.
        response = webhook.admit(pod_of(*[image(source, "known")] * 30))
        assert set(webhook.reasons(response)) == {"present", "filter-budget"}
