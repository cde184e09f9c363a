"""Why an image would be swapped or kept: one explanation for page, API and command. Begin in ``explainer.py``."""
