"""Failing pulls: their rows, the recovery of missing images, the target's health, and restart loops.

Start with ``pull_failures.py``.
"""
