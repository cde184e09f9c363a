"""Kubernetes objects as the product reads them, and the API server.

Pods, manifests, workloads, placement and YAML are pure; ``client``, ``keyring`` and ``pull_secrets`` ask the API
server, from workers alone: webhook and web have no token of it.
"""
