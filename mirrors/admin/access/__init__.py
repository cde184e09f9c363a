"""Users, sign-ins, tokens and the change history. Start reading in ``users.py``."""
