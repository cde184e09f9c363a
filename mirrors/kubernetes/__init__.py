"""Kubernetes: objects as plain values, and the client of the API server. Start with ``objects/pods.py``."""
