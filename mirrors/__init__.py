"""Mirrors of images: registries, mappings, jobs and the engine that copies."""
