"""Kubernetes objects as plain values: pods, workloads, manifests, pull secrets. No module sends requests.

Every package may import this one. Start with ``pods.py``.
"""
