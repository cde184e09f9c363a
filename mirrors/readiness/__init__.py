"""The fire drill: which workloads of a cluster could start on a new node if a registry could not be reached now.

``gaps.py`` is the rule for one image, ``drill.py`` applies it to all that run; begin there. ``drill_results.py`` is
what comes of it, ``recent.py`` keeps it for a minute for pages and API, ``samples.py`` over time (the watcher takes
them), ``collector.py`` gives these to Prometheus, and ``missing_images.py`` mirrors what is missing.
"""
