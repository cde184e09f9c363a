"""The API server: its client, and what workers and watchers read there. Webhook and web have no token of it.

Workers read pull secrets (``pull_secrets.py``), watchers everything else. Begin in ``api_client.py``.
"""
