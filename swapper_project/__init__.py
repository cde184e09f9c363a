"""The Django project: settings, configuration file, process environment, HTTP entry points."""

__version__ = "0.1.0"
"""The release: the one place of its number. ``make release-check`` compares it with chart, image and changelog."""
