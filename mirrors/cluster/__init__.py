"""What is asked of Kubernetes. Workers alone do: webhook and web have no token of the API server."""
