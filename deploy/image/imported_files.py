"""Prints the files of all modules that the processes and commands import. The image contains bytecode only for these.

The rest of the packages, about the same size, is never loaded: its bytecode would only make the image larger.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

OURS = ("mirrors", "swapper_project", "webhook")
ALSO = ("gunicorn.app.wsgiapp", "gunicorn.workers.gthread", "django.core.management.commands.migrate")
# Modules that start to serve, or select a role, when they are imported.
NOT_IMPORTED = ("swapper_project.gunicorn_conf",)


def main() -> None:
    sys.path.insert(0, os.getcwd())
    os.environ["DJANGO_SETTINGS_MODULE"] = "swapper_project.settings"
    import django

    django.setup()
    for name in ALSO:
        importlib.import_module(name)
    for package in OURS:
        path = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(path, f"{package}."):
            if module.name not in NOT_IMPORTED:
                importlib.import_module(module.name)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    print("\n".join(sorted(file for file in files if file and file.endswith(".py"))))


if __name__ == "__main__":
    main()
