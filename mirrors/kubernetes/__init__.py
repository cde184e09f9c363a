"""Kubernetes objects as the product reads them, and the API server.

Pods, manifests, workloads, placement, states and YAML are pure. ``client`` and ``object_reader`` ask the API server,
from workers and watchers alone: webhook and web have no token of it. Workers read pull secrets (``pull_secrets``,
``keyring``), watchers everything else.
"""
