"""The display of a backfill in a terminal: its preview as a table, and its progress as one line."""

from __future__ import annotations

from rich import box
from rich.table import Table

from mirrors.models import BackfillRun
from mirrors.selectors.clusters.backfill import BackfillProgress, skipped_by_reason
from mirrors.templatetags.humanise import size, span


def preview_table(run: BackfillRun) -> Table:
    """Return a table of the images that the run mirrors, and of those that it skips with the reasons."""
    table = Table("", "", box=box.SIMPLE, show_header=False, title=f"Backfill of {run.cluster}", title_justify="left")
    unknown = f", without {run.unmeasured} of unknown size" if run.unmeasured else ""
    table.add_row("Images", str(run.images))
    table.add_row("Size", f"{size(run.bytes_total)}{unknown}")
    table.add_row("Counted pulls", f"{run.counted_pulls} at registries with a pull limit, such as Docker Hub")
    least = f"{span(run.seconds_estimated)} at least" if run.seconds_estimated else "no limit of a registry delays it"
    table.add_row("Time at the limits", least)
    for reason, meaning, images in skipped_by_reason(run):
        table.add_row(f"Excluded: {reason}", f"{images} ({meaning})")
    return table


def progress_line(run: BackfillRun, progress: BackfillProgress) -> str:
    """Return a line such as ``12 of 340 images, 50 queued, about 20 min left``."""
    parts = [f"{progress.finished} of {progress.images} images"]
    parts += [f"{count} {name}" for name in ("queued", "failed") if (count := getattr(progress, name))]
    parts += [str(run.get_state_display()).lower()] if run.state != "running" else []
    if progress.seconds_left is not None:
        parts.append(f"about {span(progress.seconds_left)} left")
    line = ", ".join(parts)
    return f"{line}. {run.problem}" if run.problem else line
