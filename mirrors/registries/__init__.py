"""Registries: how they are reached, with which log-in, and how their repositories come to be."""
