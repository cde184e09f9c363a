"""A process that copies an image and its signatures: ``python -m tests.oci.copying_process SOURCE TARGET``.

It prints one line, just before the first request.
"""

from __future__ import annotations

import sys

from mirrors.images import ImageRef
from mirrors.oci import Engine, EngineSettings
from tests.oci.conftest import FAST, request


def main(source: str, target: str) -> None:
    engine = Engine(EngineSettings(**FAST))
    wanted = request(ImageRef.parse(source), ImageRef.parse(target))
    print("copying", flush=True)
    engine.copy_referrers(wanted, engine.copy(wanted), "signatures")
    engine.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
