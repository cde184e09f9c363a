"""Kubernetes as the product knows it: objects as values, and the API server. Begin in ``objects/pods.py``."""
