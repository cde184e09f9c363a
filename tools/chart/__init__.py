"""Generates files of the Helm chart from the product's models and from the comments in values.yaml.

``python -m tools.chart`` writes the files, ``--check`` lists those that are out of date.
"""
