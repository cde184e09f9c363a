"""The product's settings, with repositories that count as set up as soon as they are created."""

from mirrors.registries.aws import driver
from swapper_project.settings import *  # noqa: F403

driver.JUST_MADE = 0.0  # type: ignore[misc]
