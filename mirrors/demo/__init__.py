"""The demo, `manage.py demo`, needs these besides the product itself: throw-away registries and a sample image."""
