"""Mirroring of container images: registries, mappings, jobs and the copy engine."""
