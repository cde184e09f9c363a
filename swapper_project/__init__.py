"""The Django project: settings, configuration file, process environment, HTTP entry points."""
