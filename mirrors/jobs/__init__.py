"""Copies as jobs. ``queue`` says who may work on what, ``copy`` does one job, ``process`` is the worker's processes."""
