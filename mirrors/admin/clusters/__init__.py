"""Pages about watched clusters: running images, failing pulls, unprotected workloads, suspended swaps. Start reading in
``running_images.py``."""

NEEDS_WATCHER = "Appear when the cluster's watcher runs: the chart starts it, and manage.py up if KUBECONFIG is set."
"""The text of empty lists whose rows a watcher writes."""
