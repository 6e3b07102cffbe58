"""The pretend world from another process: every verb as an async method, with the verb's own signature.

`miso demo` and tests of the whole controller use it against `python -m bot.sim`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

import aiohttp

from bot.sim.actions import ActionsIssuer
from bot.sim.control import Wires
from bot.sim.github.scenario import Scenario

P = ParamSpec("P")
R = TypeVar("R")


class Refused(Exception):
    """The pretend world did not understand, or the thing asked for makes no sense there."""


def _remote(verb: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[SimClient, P], Coroutine[Any, Any, R]]:
    """The same verb over HTTP: arguments travel by name, the answer is what the verb returns."""
    signature = inspect.signature(verb)

    @wraps(verb)
    async def call(self: SimClient, *args: P.args, **kwargs: P.kwargs) -> R:
        given = dict(signature.bind(None, *args, **kwargs).arguments)
        del given["self"]
        return cast(R, await self.call(verb.__name__, **given))

    return cast("Callable[Concatenate[SimClient, P], Coroutine[Any, Any, R]]", call)


class SimClient:
    """`async with SimClient(addresses["control"]) as sim: await sim.comment(...)`."""

    def __init__(self, control_url: str) -> None:
        self._url = control_url
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, verb: str, **arguments: Any) -> Any:
        """Any verb by name; those of other parts than GitHub are `arm.mark`, `entra.person`, `registry.push`."""
        if self._session is None:
            raise RuntimeError("SimClient is an async context manager")
        async with self._session.post(f"{self._url}/_sim/{verb}", json=arguments) as answer:
            body = await answer.json()
            if not answer.ok:
                raise Refused(f"{verb}: {body['error']}")
            return body

    async def delivered(self) -> None:
        """Until every queued webhook was answered."""
        await self.call("delivered")

    create_user = _remote(Scenario.create_user)
    rename_user = _remote(Scenario.rename_user)
    create_repository = _remote(Scenario.create_repository)
    set_collaborator = _remote(Scenario.set_collaborator)
    install_app = _remote(Scenario.install_app)
    suspend = _remote(Scenario.suspend)
    unsuspend = _remote(Scenario.unsuspend)
    uninstall = _remote(Scenario.uninstall)
    set_variable = _remote(Scenario.set_variable)
    set_environment_variable = _remote(Scenario.set_environment_variable)
    create_environment = _remote(Scenario.create_environment)
    rename_repository = _remote(Scenario.rename_repository)
    transfer_repository = _remote(Scenario.transfer_repository)
    create_team = _remote(Scenario.create_team)
    add_team_member = _remote(Scenario.add_team_member)
    remove_team_member = _remote(Scenario.remove_team_member)
    delete_team = _remote(Scenario.delete_team)
    create_app = _remote(Scenario.create_app)
    push = _remote(Scenario.push)
    force_push = _remote(Scenario.force_push)
    write_file = _remote(Scenario.write_file)
    open_pull_request = _remote(Scenario.open_pull_request)
    push_to_pull = _remote(Scenario.push_to_pull)
    merge_pull = _remote(Scenario.merge_pull)
    close_pull = _remote(Scenario.close_pull)
    reopen_pull = _remote(Scenario.reopen_pull)
    delete_fork = _remote(Scenario.delete_fork)
    review_pull = _remote(Scenario.review_pull)
    comment = _remote(Scenario.comment)
    edit_comment = _remote(Scenario.edit_comment)
    delete_comment = _remote(Scenario.delete_comment)
    click = _remote(Scenario.click)
    rerequest = _remote(Scenario.rerequest)
    run_workflow = _remote(Scenario.run_workflow)
    run_for_pull = _remote(Scenario.run_for_pull)
    complete_run = _remote(Scenario.complete_run)
    report_status = _remote(Scenario.report_status)
    foreign_check = _remote(Scenario.foreign_check)
    finish_check = _remote(Scenario.finish_check)
    request_gate = _remote(Scenario.request_gate)
    review_gate = _remote(Scenario.review_gate)
    someone_deploys = _remote(Scenario.someone_deploys)
    someone_reports = _remote(Scenario.someone_reports)
    people = _remote(Scenario.people)
    state = _remote(Scenario.state)
    actions_token = _remote(ActionsIssuer.actions_token)
    actions_job = _remote(ActionsIssuer.actions_job)
    actions_issuer = _remote(ActionsIssuer.actions_issuer)
    actions_fetches = _remote(ActionsIssuer.actions_fetches)
    rotate_actions_key = _remote(ActionsIssuer.rotate_actions_key)
    deliver_to = _remote(Wires.deliver_to)
    hold = _remote(Wires.hold)
    release = _remote(Wires.release)
    drop_next = _remote(Wires.drop_next)
    duplicate_next = _remote(Wires.duplicate_next)
    redeliver = _remote(Wires.redeliver)
    deliveries = _remote(Wires.deliveries)
    add_fault = _remote(Wires.add_fault)
    clear_faults = _remote(Wires.clear_faults)
    exchanges = _remote(Wires.exchanges)
    clear_exchanges = _remote(Wires.clear_exchanges)
    violations = _remote(Wires.violations)
    addresses = _remote(Wires.addresses)
