"""Kubernetes objects as values: pods, workloads, manifests, pull secrets. Nothing here asks the API server.

All parts may import it. Begin in ``pods.py``.
"""
