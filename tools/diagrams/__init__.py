"""Pictures of the documentation as SVG: `python -m tools.diagrams` writes them. Begin in ``pictures.py``."""
