"""What the engine shares: access, errors, limits, manifests, URLs, the request of a copy. Start with access.py."""
