"""Servers that a test has started, and their end."""

from __future__ import annotations

import subprocess


def end(process: subprocess.Popen[bytes], *, patience: float) -> None:
    """Ask the process to end, and kill it after ``patience`` seconds; it has ended when this returns."""
    process.terminate()
    try:
        process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
