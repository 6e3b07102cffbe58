"""`AzureWindow`: what the hall calls `Azure`. Reads an environment, or makes one write and follows it to its end.

Every write: read first, refuse what is not ours, send once within the write deadline, hand out the continuation token,
poll within the total deadline. All of the SDK's errors leave here as `Refused` or `Transient`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from bot.azure.aci import ContainerInstances
from bot.azure.arm import resource_group
from bot.azure.credentials import Assertion
from bot.azure.faults import classify, details, transient
from bot.azure.policies import Timeouts
from bot.azure.resume import may_resume
from bot.azure.target import Target, Write
from bot.azure.transport import SCOPE, Clients
from bot.azure.webapp import WebApps
from bot.domain.codes import Code
from bot.domain.model import Capacity, Environment, Observed, Plan, Step, TargetKind, Untrusted
from bot.domain.plan import must_be_ours
from bot.telemetry import logger

log = logger(__name__)

WRITE_SECONDS = 8.0
OBSERVE_SECONDS = 25.0
ACR_SCOPE = "https://containerregistry.azure.net/.default"
Saved = Callable[[str], Awaitable[None]]
Keep = Callable[[], Awaitable[None]]


@dataclass
class _Progress:
    """How far a call got: whether a write may have reached Azure when something goes wrong."""

    changed: bool = False


class AzureWindow:
    """The window. `owner` is the value of our `miso-owner` tag; `session` is never closed here.

    `assertion` gives the signed assertion of an environment, at once and without I/O. `poll_seconds` is the pause
    between two looks at an operation for which Azure names none. `write_seconds` bounds one writing request,
    `observe_seconds` one whole look.
    """

    def __init__(
        self,
        *,
        owner: str,
        session: aiohttp.ClientSession,
        authority: str,
        arm_url: str,
        assertion: Assertion,
        poll_seconds: float = 5.0,
        write_seconds: float = WRITE_SECONDS,
        observe_seconds: float = OBSERVE_SECONDS,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._owner = owner
        self._write_seconds, self._observe_seconds = write_seconds, observe_seconds
        self._clients = Clients(
            session=session,
            authority=authority,
            arm_url=arm_url,
            assertion=assertion,
            poll_seconds=poll_seconds,
            timeouts=timeouts or Timeouts(),
        )
        self._aci, self._web = ContainerInstances(self._clients), WebApps(self._clients)

    def _target(self, environment: Environment) -> Target:
        return self._web if environment.target is TargetKind.WEB_APP else self._aci

    async def observe(self, environment: Environment, *, request_id: str) -> Observed:
        """What runs there now. Raises Refused (no access, no resource group) or Transient."""
        async with self._told(environment, _Progress(), "observe"), asyncio.timeout(self._observe_seconds):
            return await self._target(environment).observe(environment, request_id)

    async def capacity(self, environment: Environment, *, request_id: str) -> Capacity:
        """How many instances in how many zones it has. Raises Refused (`azure_missing` without a plan) or Transient."""
        async with self._told(environment, _Progress(), "capacity"), asyncio.timeout(self._observe_seconds):
            return await self._target(environment).capacity(environment, request_id)

    async def apply(
        self,
        environment: Environment,
        step: Step,
        plan: Plan,
        *,
        stream: str,
        deadline: float,
        request_id: str,
        resume: str = "",
        saved: Saved,
        keep: Keep,
    ) -> None:
        """One write and its polling, inside `deadline` seconds. See `bot.context.Azure.apply`."""
        progress = _Progress()
        if resume and not may_resume(resume, arm_url=self._clients.arm_url, environment=environment):
            log.warning("continuation token is not for this address or environment; looking instead", step=step.value)
            resume = ""
        write = Write(step=step, plan=plan, stream=stream, owner=self._owner, request_id=request_id, resume=resume)
        async with self._told(environment, progress, step.value):
            async with asyncio.timeout(deadline):
                await self._write(environment, write, progress, saved, keep)

    async def _write(
        self, environment: Environment, write: Write, progress: _Progress, saved: Saved, keep: Keep
    ) -> None:
        target = self._target(environment)
        seen = await target.observe(environment, write.request_id)
        must_be_ours(seen, environment, self._owner)
        if write.resume:
            progress.changed = True
            try:
                poller = await target.begin(environment, write, seen)
                if poller is not None:
                    await poller.result()
                return
            except HttpResponseError as fault:
                if fault.status_code not in (404, 410):
                    raise
                # Azure no longer knows the operation: what it did is visible, what it did not is done now.
                log.info("azure forgot the operation; looking instead", step=write.step.value, **details(fault))
                write = _anew(write)
                progress.changed = False
                seen = await target.observe(environment, write.request_id)
        await keep()
        await self._send(target, environment, write, seen, progress, saved)

    async def _send(
        self,
        target: Target,
        environment: Environment,
        write: Write,
        seen: Observed,
        progress: _Progress,
        saved: Saved,
    ) -> None:
        progress.changed = True
        async with asyncio.timeout(self._write_seconds):
            poller = await target.begin(environment, write, seen)
        if poller is None:
            return
        await saved(poller.continuation_token())
        await poller.result()

    @asynccontextmanager
    async def _told(self, environment: Environment, progress: _Progress, step: str) -> AsyncIterator[None]:
        """The SDK's errors and our deadlines, as Miso's own errors."""
        try:
            yield
        except TimeoutError as late:
            raise transient(Code.AZURE_TIMEOUT, unknown=progress.changed, step=step) from late
        except AzureError as fault:
            log.warning("azure said no", step=step, environment=environment.id, **details(fault))
            if isinstance(fault, ClientAuthenticationError):
                self._clients.forget(environment)
            # From None: the SDK's text holds subjects, trace ids and addresses, and would be logged with a traceback.
            raise classify(fault, changed=progress.changed) from None

    async def token(self, environment: Environment, scope: str = SCOPE) -> str:
        """A bearer token of the environment's identity, e.g. for the registry's exchange. Raises as `observe` does."""
        async with self._told(environment, _Progress(), "token"):
            return (await self._clients.credential(environment).get_token(scope)).token

    async def acr_token(self, environment: Environment) -> str:
        """An Entra token for Azure's own registries, which their exchange turns into one of the registry."""
        return await self.token(environment, ACR_SCOPE)

    async def check(self, environment: Environment, *, request_id: str) -> None:
        """Whether identity, role and resource group are in order, for `miso doctor`. Raises what is wrong."""
        async with self._told(environment, _Progress(), "check"):
            await resource_group(self._clients, environment, request_id)

    async def logs(self, environment: Environment, *, lines: int = 50, request_id: str) -> Untrusted:
        """The last lines that the application wrote. Text of strangers: escape it wherever it is shown."""
        async with self._told(environment, _Progress(), "logs"):
            source = self._web if environment.target is TargetKind.WEB_APP else self._aci
            return Untrusted(await source.logs(environment, lines=lines, request_id=request_id))

    async def close(self) -> None:
        """Let go of the SDK's clients; the session stays open."""
        await self._clients.close()


def _anew(write: Write) -> Write:
    """The same write without its token."""
    return Write(step=write.step, plan=write.plan, stream=write.stream, owner=write.owner, request_id=write.request_id)
