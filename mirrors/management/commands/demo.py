"""``manage.py demo``: mirrors an image and swaps a pod, with temporary registries. No data remains afterwards."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandParser

from mirrors.images import ImageRef, InvalidReferenceError
from swapper_project.process import configured
from swapper_project.process.supervisor import MANAGE

DIRECTORY = "SWAPPER_DEMO_DIR"


class Command(BaseCommand):
    help = (
        "Show the main job: a pod is admitted, its image is mirrored, the next pod runs from the mirror. "
        "Needs only Python, because both registries are small local ones. Accepts neither --config nor --data-dir."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="exit when the image is mirrored, instead of waiting for Ctrl-C"
        )
        parser.add_argument("--image", help="mirror this image from its real registry instead of the sample")

    def handle(self, *, once: bool, image: str | None, **options: Any) -> None:
        if image is not None:
            try:
                ImageRef.parse(image)
            except InvalidReferenceError as error:
                configured.stop(f"--image: {error}.")
        if DIRECTORY not in os.environ:
            _restart_in_temporary_directory()
        from mirrors.demo.story import Demo, DemoError

        directory = Path(os.environ[DIRECTORY])
        try:
            with Demo(directory, image=image) as demo:
                demo.run()
                if not once:
                    demo.keep_running()
        except DemoError as error:
            configured.stop(f"The demo stopped: {error}")
        except KeyboardInterrupt:
            self.stdout.write("")
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _restart_in_temporary_directory() -> None:
    """Replace this process by one whose settings use a temporary data directory."""
    directory = tempfile.mkdtemp(prefix="k8s-image-swapper-demo-")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SWAPPER_")}
    environment = {**inherited, DIRECTORY: directory, "SWAPPER_DATA_DIR": directory}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, str(MANAGE), *sys.argv[1:]], environment)  # noqa: S606
