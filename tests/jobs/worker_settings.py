"""Settings of worker processes that tests start: the product's settings, with shortened times."""

import json
import os

from swapper_project.settings import *  # noqa: F403

JOB_TIMING = json.loads(os.environ.get("TEST_JOB_TIMING", "{}"))
Q_CLUSTER = {**Q_CLUSTER, "poll": 0.1, "guard_cycle": 0.1}  # noqa: F405
