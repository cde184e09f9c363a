"""The product's settings, with shorter rests for registries that do not answer."""

from swapper_project.settings import *  # noqa: F403

BREAKER_REST = 5.0
