"""Push a sample image to a real registry, as a client does."""

from __future__ import annotations

from urllib.parse import urlencode

import urllib3

from mirrors.demo.images import SampleImage


def push(image: SampleImage, host: str, repository: str, tag: str, *, log_in: str = "") -> None:
    """Push an image over plain HTTP. ``log_in`` is USER:PASSWORD."""
    headers = urllib3.make_headers(basic_auth=log_in) if log_in else {}
    base = f"http://{host}/v2/{repository}"
    with urllib3.PoolManager(retries=False, timeout=10) as pool:
        for digest, content in image.blobs.items():
            place = pool.request("POST", f"{base}/blobs/uploads/", headers=headers).headers["Location"]
            query = urlencode({"digest": digest})
            response = pool.request(
                "PUT", f"{place}{'&' if '?' in place else '?'}{query}", body=content, headers=headers
            )
            assert response.status == 201, response.data
        for digest, (media_type, raw) in image.manifests.items():
            name = tag if digest == image.root else digest
            typed = {**headers, "Content-Type": media_type}
            response = pool.request("PUT", f"{base}/manifests/{name}", body=raw, headers=typed)
            assert response.status == 201, response.data
