"""Stopping server processes that a test has started."""

from __future__ import annotations

import subprocess


def end(process: subprocess.Popen[bytes], *, patience: float) -> None:
    """Terminate the process, and kill it after ``patience`` seconds. It has exited when this returns."""
    process.terminate()
    try:
        process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
