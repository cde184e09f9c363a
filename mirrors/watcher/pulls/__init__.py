"""Pulls that fail: rows of them, images that are copied again, the target's health, restart loops. Begin in
``pull_failures.py``."""
