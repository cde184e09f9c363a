"""The diagrams of the documentation as SVG; `python -m tools.diagrams` writes them. Start with ``pictures.py``."""
