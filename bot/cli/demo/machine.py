"""A person's own machine: `miso` is installed there, and nothing else of the controller's. Used by the story.

Each command is a process of its own with the person's folder for settings and no variable of Miso's, so what it knows
it has from signing in.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.cli.demo.browser import Browser
from bot.cli.demo.people import Missed
from bot.settings.declaring import PREFIX

PATIENCE = 60.0
_CODE = re.compile(r"\b[A-Z]{4}-[A-Z]{4}\b")
_LINK = re.compile(r"/link ([A-Z-]+)")


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed; {} where it is none."""
        try:
            return json.loads(self.out)
        except ValueError:
            return {}

    @property
    def refused(self) -> str:
        """The code of a refusal."""
        found = re.search(r"\(([a-z_]+)\)\s*$", self.err.partition("\n")[0]) or re.search(
            r"✗ .*\(([a-z_]+)\)", self.err
        )
        return found[1] if found else ""


@dataclass
class Machine:
    """One person's. `secrets`: whatever opens something and was ever at hand there, by what it is."""

    browser: Browser
    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)

    async def types(self, *command: str) -> Ran:
        """A command of `miso`."""
        child = await self._start(*command)
        out, err = await child.communicate()
        self._remember()
        return Ran(child.returncode or 0, out.decode(), err.decode())

    async def signs_in(self) -> str:
        """`miso login`, and in the browser the code. Gives what the page asked before the person said yes."""
        child = await self._start("login", "--url", self.browser.miso)
        assert child.stderr is not None  # it was asked for
        shown = ""
        async with asyncio.timeout(PATIENCE):
            while not _CODE.search(shown):
                line = await child.stderr.readline()
                if not line:
                    raise Missed("a code to type", shown)
                shown += line.decode()
            code = _CODE.findall(shown)[-1]
            page = await self.browser.press(await self.browser.open("/device"), "Go on", code=code)
            await self.browser.press(page, "Yes, let it")
            out, err = await child.communicate()
        if child.returncode != 0:
            raise Missed(f"{self.browser.person} to be signed in", shown + err.decode() + out.decode())
        self._remember()
        return page.heading

    async def link_code(self) -> str:
        """What the account page says to type on GitHub."""
        page = await self.browser.press(await self.browser.open("/account"), "Get a code")
        found = _LINK.search(page.text)
        if found is None:
            raise Missed("a code for linking", page.heading)
        return found[0]

    def _remember(self) -> None:
        kept = self.folder / "miso" / "session.json"
        if kept.exists():
            said = json.loads(kept.read_text("utf-8"))
            for name in ("access", "refresh"):
                self.secrets[f"{self.browser.person}'s {name} token {said[name][-6:]}"] = said[name]
        for cookie in self.browser.http.cookie_jar:
            self.secrets[f"{self.browser.person}'s cookie {cookie.key}"] = cookie.value

    async def _start(self, *command: str) -> asyncio.subprocess.Process:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", *command),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env={**clean, "XDG_CONFIG_HOME": str(self.folder), "NO_COLOR": "1"},
        )
