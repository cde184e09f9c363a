"""Pages about clusters that are watched: what runs, what cannot be pulled, what is not protected. Begin in
``running_images.py``."""

NEEDS_WATCHER = "Appear when a watcher runs (manage.py watch, part of up and of the chart)."
"""In empty lists of what a watcher writes."""
