"""The fire drill: which workloads of a cluster could start on a new node if a registry could not be reached now.

Start with ``drill.py``, which applies the rule for one image (``gaps.py``) to all running images. ``drill_results.py``
has the result, ``recent.py`` caches it for a minute for pages and API, ``samples.py`` (called by the watcher) stores it
over time, ``collector.py`` exports these samples to Prometheus, and ``missing_images.py`` mirrors missing images.
"""
