"""Files of the Helm chart that follow from the product's models and from the comments of values.yaml.

``python -m tools.chart`` writes them, ``--check`` shows which ones are out of date.
"""
