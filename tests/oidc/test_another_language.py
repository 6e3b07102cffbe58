"""Standard OpenID and JWT libraries of another language accept our metadata and tokens, and refuse what they should.

`jose` and `oauth4webapi` for Node.js, installed from a lock with hashes into a folder of the test's own.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from bot.clock import SystemClock
from bot.context import Oidc
from bot.domain.claims import DeployClaims
from bot.oidc.issue import Issuer
from bot.oidc.keys import TERMS, Use
from bot.oidc.opening import open_rings
from bot.sim.scenarios import APPLICATION_ID, PLACES
from bot.web import oidc

pytestmark = pytest.mark.full

HERE = Path(__file__).parent / "another_language"


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """The script and its libraries. Without Node.js the test is left out here, and fails where all must run."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        told = f"{' and '.join(missing)} not found: `make services` installs them"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    there = tmp_path / "node"
    shutil.copytree(HERE, there)
    await _run(there, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    return there


async def _run(folder: Path, *command: str, given: str = "") -> str:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdin=PIPE, stdout=PIPE, stderr=STDOUT)
    async with asyncio.timeout(90):
        said, _ = await process.communicate(given.encode())
    assert process.returncode == 0, said.decode(errors="replace")
    return said.decode()


async def test_libraries_of_another_language_take_what_we_publish_and_issue(folder: Path, tmp_path: Path) -> None:
    clock = SystemClock()
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{door.getsockname()[1]}"
    issuer = Issuer(url, await open_rings(tmp_path / "keys", issuer=url, now_us=clock.now_us), clock.now_us)
    app = web.Application()
    app.add_routes(oidc.routes(cast(Oidc, issuer)))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, door).start()
    try:
        now = clock.now_us() // 1_000_000 * 1_000_000
        token = await issuer.issue(
            DeployClaims(
                jti="a" * 64,
                application_id=APPLICATION_ID,
                environment_id=PLACES[0].id,
                repository_id=1,
                commit="0123456789" * 4,
                run_id=1,
                run_attempt=1,
                actor_id=1,
                issued_us=now,
                expires_us=now + 600_000_000,
            )
        )
        entra = TERMS[Use.ASSERTION].audience
        given = {"issuer": url, "audience": url, "token": token, "entra": entra}
        given["assertion"] = issuer.assertion(PLACES[0].id)
        said: dict[str, Any] = json.loads(await _run(folder, "node", "verify.mjs", given=json.dumps(given)))
    finally:
        await runner.cleanup()
    assert said["access"]["claims"]["environment_id"] == PLACES[0].id
    assert said["access_jose"]["claims"] == said["access"]["claims"]
    assert said["assertion"]["claims"]["sub"] == f"miso:env:{PLACES[0].id}"
    assert all("refused" in said[name] for name in ("other_audience", "assertion_as_access", "changed")), said
