"""The Helm chart: rendered by helm, and read as an operator would."""
