"""One admission review, from its object to its answer. Begin in ``reviewer.py``."""
