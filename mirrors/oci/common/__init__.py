"""Values that all of the engine shares: access, errors, limits, manifests, URLs. Begin with access.py and errors.py."""
