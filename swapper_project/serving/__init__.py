"""The HTTP server below webhook and web: gunicorn's threaded worker, made safe from slow and silent clients."""
