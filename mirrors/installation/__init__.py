"""Setup of an installation on a cluster, and renewal of its certificates: Secrets, certificates, ``caBundle``.

Only three commands use this package: `setup_secrets` (start with `generated_secrets.py`), `webhook_certs` (start with
`renewal.py`) and `activate_webhook` (start with `activation.py`). `issuing.py` and `rotation.py` send no requests; the
other modules use the API server, by `mirrors.kubernetes`.
"""
