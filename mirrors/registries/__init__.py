"""Registries: how to access them, with which credentials, and how repositories are created."""
