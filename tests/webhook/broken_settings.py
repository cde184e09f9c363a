"""The product's settings, with a webhook whose reviews all fail."""

from swapper_project.settings import *  # noqa: F403
from swapper_project.settings import INSTALLED_APPS as PRODUCT_APPS

INSTALLED_APPS = [*PRODUCT_APPS, "tests.webhook.broken.Broken"]
