"""Our engine in a process of its own: reads the pairs from its input, copies them, prints the seconds it took."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from mirrors.images import ImageRef
from mirrors.oci import CopyRequest, Engine, RegistryAccess


def main() -> None:
    given = json.load(sys.stdin)
    engine = Engine()

    def copy(pair: list[str]) -> None:
        source, target = map(ImageRef.parse, pair)
        engine.copy(CopyRequest(source, target, access(source), access(target)))

    began = time.monotonic()
    with ThreadPoolExecutor(given["at_once"]) as pool:
        list(pool.map(copy, given["pairs"]))
    print(time.monotonic() - began)
    engine.close()


def access(image: ImageRef) -> RegistryAccess:
    return RegistryAccess(image.registry, insecure=True, private_allowed=True)


if __name__ == "__main__":
    main()
