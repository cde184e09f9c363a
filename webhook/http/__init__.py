"""The webhook's HTTP endpoints: reviews, probes, metrics. Begin in ``views.py``."""
