"""Filters of lists, one file per resource."""
