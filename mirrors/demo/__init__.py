"""What `manage.py demo` needs besides the product itself: throw-away registries and a sample image."""
