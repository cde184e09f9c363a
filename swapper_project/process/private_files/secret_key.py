"""The secret key of an installation on one machine. It is created once, and stored in the data directory."""

from __future__ import annotations

import secrets
from pathlib import Path

from swapper_project.process.private_files.certificates import write_private

KEY_FILE = "secret-key"


def stored_secret_key(data_dir: Path) -> str:
    """Return the key that ``up`` created, so that other commands use the same one; empty if it does not exist."""
    try:
        return (data_dir / KEY_FILE).read_text().strip()
    except OSError:
        return ""


def ensure_secret_key(data_dir: Path) -> None:
    """Create a key, readable only by its owner, if none exists."""
    if not stored_secret_key(data_dir):
        write_private(data_dir / KEY_FILE, f"{secrets.token_urlsafe(48)}\n".encode())
