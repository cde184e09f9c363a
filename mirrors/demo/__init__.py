"""The demo (`manage.py demo`): temporary registries, a sample image, and the steps of the demo."""
