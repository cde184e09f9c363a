"""The contents of the diagrams."""

from __future__ import annotations

from tools.diagrams.drawing import Arrow, Box, Picture

PARTS = Picture(
    width=900,
    height=430,
    description=(
        "API servers send reviews to the webhook. Webhook, web and worker share a database. The worker reads sources "
        "and writes the target; the webhook queries the target. Nodes pull from the target."
    ),
    frames=[Box(210, 20, 420, 390, "k8s-image-swapper")],
    boxes=[
        Box(20, 60, 140, 64, "API servers", is_own=False),
        Box(20, 183, 140, 64, "Users, scripts", is_own=False),
        Box(235, 60, 190, 64, "webhook", ["decides from memory"]),
        Box(235, 183, 190, 64, "web", ["dashboard, admin, API"]),
        Box(235, 306, 190, 64, "worker", ["runs the jobs"]),
        Box(500, 170, 110, 90, "database", ["what is known,", "jobs, history"]),
        Box(720, 60, 160, 64, "Target registry", ["your mirror"], is_own=False),
        Box(720, 183, 160, 64, "Nodes", is_own=False),
        Box(720, 306, 160, 64, "Source registries", is_own=False),
    ],
    arrows=[
        Arrow([(160, 92), (233, 92)], "review", (184, 84)),
        Arrow([(160, 215), (233, 215)]),
        Arrow([(425, 110), (470, 110), (470, 190), (498, 190)]),
        Arrow([(425, 215), (498, 215)]),
        Arrow([(425, 325), (470, 325), (470, 240), (498, 240)]),
        Arrow([(425, 82), (718, 82)], "is it there? (HEAD)", (545, 74)),
        Arrow([(425, 345), (675, 345), (675, 108), (718, 108)], "writes", (656, 150)),
        Arrow([(718, 362), (427, 362)], "reads", (580, 378)),
        Arrow([(800, 183), (800, 126)], "pull", (822, 158)),
        Arrow([(800, 247), (800, 304)], "until mirrored", (846, 280)),
    ],
)

REVIEW = Picture(
    width=900,
    height=170,
    description="A review in five steps: classify, gather, request, guard, settle; then the JSON patch.",
    boxes=[
        Box(15, 40, 150, 90, "1 classify", ["opt-outs, filters,", "name at the target"]),
        Box(195, 40, 150, 90, "2 gather", ["memory, database,", "one HEAD request"]),
        Box(375, 40, 150, 90, "3 request", ["copies of what", "is missing"]),
        Box(555, 40, 150, 90, "4 guard", ["private images of", "other namespaces"]),
        Box(735, 40, 150, 90, "5 settle", ["keep or swap,", "with a reason"]),
    ],
    arrows=[Arrow([(x, 85), (x + 28, 85)]) for x in (165, 345, 525, 705)],
)

JOB = Picture(
    width=900,
    height=250,
    description=(
        "States of a job: queued, running, and then succeeded, failed or cancelled. A running job is queued again "
        "after a passing error, or when its worker stops."
    ),
    boxes=[
        Box(30, 95, 150, 60, "queued", ["pending"]),
        Box(370, 95, 150, 60, "running", ["lease of 30 s"]),
        Box(710, 20, 150, 54, "succeeded"),
        Box(710, 98, 150, 54, "failed"),
        Box(710, 176, 150, 54, "cancelled"),
    ],
    arrows=[
        Arrow([(180, 112), (368, 112)], "claimed by a worker", (274, 104)),
        Arrow([(370, 140), (182, 140)], "passing error, lost worker", (275, 158)),
        Arrow([(520, 110), (620, 110), (620, 47), (708, 47)], "copied", (664, 39)),
        Arrow([(520, 125), (708, 125)], "permanent error, 5 attempts", (616, 143)),
        Arrow([(105, 155), (105, 215), (708, 215)], "cancelled by a user", (300, 207)),
        Arrow([(445, 155), (445, 190), (708, 190)], "at the next heartbeat", (580, 182)),
    ],
)

PICTURES = {"parts.svg": PARTS, "review.svg": REVIEW, "job-states.svg": JOB}
"""The diagrams by file name in ``docs/images``."""
