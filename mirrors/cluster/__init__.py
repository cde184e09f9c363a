"""Requests to Kubernetes. Only workers send them: webhook and web have no token for the API server."""
