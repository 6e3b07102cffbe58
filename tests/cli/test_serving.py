"""`miso serve` in a process of its own: one line with its address, a graceful end, and words when it cannot begin."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import aiohttp
import pytest

from bot.cli.demo.ground import free_port
from tests.cli.conftest import Desk


async def serve(desk: Desk, **changes: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", "serve"),
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, **desk.settings, **changes},
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_tells_its_address_serves_and_ends_gracefully(
    desk: Desk, number: signal.Signals, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    own = {"MISO_LISTEN": f"127.0.0.1:{port}", "MISO_PUBLIC_URL": url, "MISO_DATA_DIR": str(tmp_path / "another")}
    process = await serve(desk, **own)
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    assert line == f"Miso serves {url} on 127.0.0.1:{port}; webhooks go to {url}/github/webhooks\n"
    async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as answer:
        assert answer.status == 200
    process.send_signal(number)
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    assert out == b""
    assert b"Traceback" not in err


async def test_an_address_that_is_taken_is_told_without_a_traceback(desk: Desk) -> None:
    process = await serve(desk)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert f"MISO_LISTEN is '{desk.settings['MISO_LISTEN']}'" in err.decode()
    assert b"Traceback" not in err


async def test_an_address_that_the_keys_do_not_issue_as_is_refused_with_what_to_do(desk: Desk) -> None:
    process = await serve(desk, MISO_PUBLIC_URL="http://127.0.0.1:2")
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert b"miso keys migrate" in err
    assert b"Traceback" not in err
