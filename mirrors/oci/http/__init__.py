"""How one request gets to a registry and back: connections, credentials, host limits. Begin with client.py.

`client` asks what a copy needs, through `sender` (retries, credentials), `transport` (redirects) and `connections`.
"""
