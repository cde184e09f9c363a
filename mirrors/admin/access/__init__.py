"""Users, sign-ins, tokens and the history of changes. Begin in ``users.py``."""
