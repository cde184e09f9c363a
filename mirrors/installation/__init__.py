"""What an installation on a cluster needs once and what has to be renewed: Secrets, certificates, ``caBundle``.

Two commands use it: `setup_secrets` (begin in `generated_secrets.py`) and `webhook_certs` (begin in `renewal.py`).
Nothing else imports from here. `issuing.py` and `rotation.py` ask no cluster; the others do, by `mirrors.cluster`.
"""
