"""A program that asks to act as somebody, over HTTP, and the person in front of a browser who answers."""

from __future__ import annotations

import json
from typing import Any

from tests.web.lodge import Browser, Lodge

CLIENT = "miso-cli"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
WHO = "/api/v1/who"


class Program:
    """What the command line does, over HTTP."""

    def __init__(self, here: Lodge) -> None:
        self.here = here
        self.device_code = self.user_code = ""
        self.interval = 5

    async def asks(self, **form: str) -> dict[str, Any]:
        answer = await self.here.browser.ask("POST", "/oidc/device_authorization", data={"client_id": CLIENT, **form})
        said: dict[str, Any] = json.loads(answer.text)
        if answer.status == 200:
            self.device_code, self.user_code = said["device_code"], said["user_code"]
        return {**said, "status": answer.status}

    async def polls(self, *, wait: bool = True, **form: str) -> dict[str, Any]:
        if wait:
            self.here.clock.pass_(self.interval)
        return await self.token(grant_type=GRANT, device_code=self.device_code, **form)

    async def refreshes(self, token: str, **form: str) -> dict[str, Any]:
        return await self.token(grant_type="refresh_token", refresh_token=token, **form)

    async def token(self, **form: str) -> dict[str, Any]:
        answer = await self.here.browser.ask("POST", "/oidc/token", data={"client_id": CLIENT, **form})
        return {**json.loads(answer.text), "status": answer.status}

    async def who(self, token: str) -> dict[str, Any]:
        answer = await self.here.browser.get(WHO, headers={"Authorization": f"Bearer {token}"})
        return {**json.loads(answer.text), "status": answer.status}

    async def granted(self) -> dict[str, Any]:
        """Tokens of whoever sits in front of the browser."""
        await self.asks()
        await says(self.here.browser, self.user_code, "allow")
        return await self.polls()


async def says(browser: Browser, code: str, answer: str) -> str:
    """Types the code, looks at who asks, and answers; gives the last page's words."""
    form = await browser.get("/device")
    if form.status == 303:
        await browser.sign_in("/device")
        form = await browser.get("/device")
    shown = await browser.post("/device", csrf=form.csrf, code=code)
    assert shown.status == 200, shown.words
    return (await browser.post("/device", csrf=shown.csrf, code=code, answer=answer)).words
