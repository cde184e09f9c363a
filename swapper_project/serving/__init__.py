"""The HTTP server of webhook and web: gunicorn's threaded worker, protected from slow and silent clients."""
