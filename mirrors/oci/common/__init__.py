"""What the engine shares: access, errors, limits, manifests, URLs, the request of a copy. Begin with access.py."""
