"""The API of one registry, as the OCI distribution specification has it: authentication, rate limits, retries. Begin
with registry_client.py.

`registry_client` and its `uploads` send what a copy needs, through `sender` (retries, credentials, the slots and
budgets of a host).
"""
