"""The client of the API server, and the objects that workers and watchers read from it.

The webhook and web processes have no token for the API server. Workers read pull secrets (``pull_secrets.py``),
watchers read everything else. Start with ``api_client.py``.
"""
