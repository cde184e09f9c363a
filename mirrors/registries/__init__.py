"""Registries: how they are accessed, with which credentials, and how repositories are created."""
