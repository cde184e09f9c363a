"""Set-up of an installation on a cluster, and what has to be renewed: Secrets, certificates, ``caBundle``.

Three commands use it: `setup_secrets` (begin in `generated_secrets.py`), `webhook_certs` (begin in `renewal.py`) and
`activate_webhook` (begin in `activation.py`). Nothing else imports from here. `issuing.py` and `rotation.py` ask no
cluster; the others do, by `mirrors.kubernetes`.
"""
