"""The product's settings; repositories count as set up from the moment that they are made."""

from mirrors.registries.aws import driver
from swapper_project.settings import *  # noqa: F403

driver.JUST_MADE = 0.0  # type: ignore[misc]
