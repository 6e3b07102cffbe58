"""A real OCI registry for tests: Debian's `docker-registry` (CNCF Distribution) on loopback, filled over its own API.

Where the program is missing, tests that need it are skipped on a developer's machine and fail in CI.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.cli.demo.ground import free_port

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"

_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextmanager
def running(directory: Path) -> Iterator[str]:
    """Start a registry that keeps its files in `directory`; yields its host, `127.0.0.1:<port>`."""
    program = shutil.which("docker-registry")
    if program is None:
        reason = "docker-registry is not installed (Debian package of that name)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    host = f"127.0.0.1:{free_port()}"
    config = directory / "registry.yml"
    config.write_text(_CONFIG.format(root=directory / "storage", port=host.rpartition(":")[2]))
    with (directory / "registry.log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=subprocess.STDOUT)
    try:
        _until_up(host, process, directory / "registry.log")
        yield host
    finally:
        process.terminate()
        process.wait(timeout=10)


def push_image(host: str, repository: str, tag: str, content: str) -> str:
    """Push a minimal image whose one layer is `content`; the same content gives the same digest, which is returned."""
    config = _blob(host, repository, json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {}}).encode())
    layer = _blob(host, repository, content.encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}],
    }
    return _manifest(host, repository, tag, manifest)


def push_index(host: str, repository: str, tag: str, digests: dict[str, str]) -> str:
    """Push an index of images that are already there, by architecture; returns the digest of the index."""
    entries = []
    for architecture, digest in digests.items():
        with _send("GET", f"http://{host}/v2/{repository}/manifests/{digest}", headers={"Accept": MANIFEST}) as answer:
            size = len(answer.read())
        platform = {"architecture": architecture, "os": "linux"}
        entries.append({"mediaType": MANIFEST, "digest": digest, "size": size, "platform": platform})
    return _manifest(host, repository, tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})


def delete_image(host: str, repository: str, digest: str) -> None:
    """Remove a manifest, and with it every tag that names it."""
    _send("DELETE", f"http://{host}/v2/{repository}/manifests/{digest}").close()


def _manifest(host: str, repository: str, tag: str, document: dict[str, Any]) -> str:
    body = json.dumps(document).encode()
    url = f"http://{host}/v2/{repository}/manifests/{tag}"
    with _send("PUT", url, body, {"Content-Type": document["mediaType"]}) as answer:
        return str(answer.headers["Docker-Content-Digest"])


def _blob(host: str, repository: str, content: bytes) -> dict[str, Any]:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    with _send("POST", f"http://{host}/v2/{repository}/blobs/uploads/") as answer:
        location = answer.headers["Location"]
    glue = "&" if "?" in location else "?"
    _send("PUT", f"{location}{glue}digest={digest}", content, {"Content-Type": "application/octet-stream"}).close()
    return {"digest": digest, "size": len(content)}


def _send(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    return urllib.request.urlopen(
        urllib.request.Request(url, data=body, method=method, headers=headers or {}), timeout=10
    )


def _until_up(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        try:
            _send("GET", f"http://{host}/v2/").close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"docker-registry does not come up:\n{log.read_text(errors='replace')[-2000:]}")
