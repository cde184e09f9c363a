"""The webhook's HTTP endpoints: reviews, probes, metrics. Start with ``views.py``."""
