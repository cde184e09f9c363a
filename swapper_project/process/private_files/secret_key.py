"""The secret key of an installation on one machine: made once, kept in its data directory."""

from __future__ import annotations

import secrets
from pathlib import Path

from swapper_project.process.private_files.certificates import write_private

KEY_FILE = "secret-key"


def kept_secret_key(data_dir: Path) -> str:
    """The key that ``up`` created, so that other commands use the same one; empty if there is none."""
    try:
        return (data_dir / KEY_FILE).read_text().strip()
    except OSError:
        return ""


def ensure_secret_key(data_dir: Path) -> None:
    """Creates a key, readable only by its owner, if there is none."""
    if not kept_secret_key(data_dir):
        write_private(data_dir / KEY_FILE, f"{secrets.token_urlsafe(48)}\n".encode())
