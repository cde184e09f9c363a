"""The Django project: settings, configuration file, process environment, HTTP entry points."""

__version__ = "0.1.0"
"""The version of the release, which is defined only here. ``make release-check`` compares chart, image and changelog
with it."""
