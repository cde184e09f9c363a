"""Pages about clusters that are watched: what runs, what cannot be pulled, what is not protected. Begin in
``running_images.py``."""

NEEDS_WATCHER = "Appear when the cluster's watcher runs: the chart starts it, and manage.py up if KUBECONFIG is set."
"""In empty lists of what a watcher writes."""
