"""The product's settings, with shorter pauses for registries that do not respond, and earlier writes of uses."""

from swapper_project.settings import *  # noqa: F403

BREAKER_REST = 5.0
FLUSH_EVERY = 2.0
