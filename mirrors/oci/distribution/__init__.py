"""The API of one registry, as the OCI distribution specification defines it: authentication, rate limits, retries.
Start with registry_client.py.

`registry_client` and its `uploads` send the requests of a copy through `sender`, which handles retries, credentials,
and the slots and budgets of a host.
"""
