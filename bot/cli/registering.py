"""`miso register`: an application and its environments from a file into the registry, and what is to be set up for it.

It writes through the same verb as the files of `config/catalog`. Nothing is sent to GitHub or Azure: what must be set
there is printed as commands for the people who may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Annotated

import typer
from rich.text import Text

from bot.cli.reading import text_of
from bot.cli.screen import out
from bot.domain.model import Application, Environment

Old = Mapping[str, Application | Environment]


def register(
    file: Annotated[str, typer.Argument(help="YAML file with one application; `-` reads standard input.")],
) -> None:
    """Register an application, show what changed, and print what to set in GitHub and Entra."""
    asyncio.run(_register(text_of(file)))


async def _register(text: str) -> None:
    from bot import app, settings
    from bot.services import registering

    loaded = settings.load()
    async with app.building(loaded, adopts=False) as running:
        store = running.miso.store
        old: dict[str, Application | Environment] = {row.id: row for row in await store.applications()}
        old |= {row.id: row for row in await store.environments()}
        wanted = await registering.register(running.miso, text, origin="command")
    _changes(old, (wanted.application, *wanted.environments))
    _variables(wanted.application, wanted.environments)
    _credentials(wanted.environments, issuer=loaded.public_url)


def _changes(old: Old, new: Sequence[Application | Environment]) -> None:
    console = out()
    for row in new:
        before = old.get(row.id)
        kind = "application" if isinstance(row, Application) else f"environment {row.stage}"
        names = [f.name for f in fields(row) if before is not None and getattr(before, f.name) != getattr(row, f.name)]
        word, style = ("new", "green") if before is None else (("changed", "yellow") if names else ("as it was", "dim"))
        console.print(Text.assemble((f"{word:<10}", style), f"{kind} {row.name} ", (row.id, "dim")))
        for name in names:
            console.print(f"             {name}: {getattr(before, name)!s} → {getattr(row, name)!s}", markup=False)


def _variables(application: Application, environments: Sequence[Environment]) -> None:
    """https://cli.github.com/manual/gh_variable_set"""
    console = out()
    console.print()
    console.print(Text("In the repository (its administrators; the values are no secrets):", style="bold"))
    # By id, so that the lines stay right when the repository is renamed.
    console.print(f"REPO=$(gh api repositories/{application.repository_id} --jq .full_name)", markup=False)
    console.print(f'gh variable set MISO_APPLICATION_ID --repo "$REPO" --body {application.id}', markup=False)
    subscriptions = {environment.subscription_id for environment in environments}
    for environment in environments:
        where = f'--repo "$REPO" --env "{environment.github_name}"'
        if len(subscriptions) > 1:
            console.print(
                f"gh variable set MISO_SUBSCRIPTION_ID {where} --body {environment.subscription_id}", markup=False
            )
        console.print(f"gh variable set MISO_ENVIRONMENT_ID {where} --body {environment.id}", markup=False)
    if len(subscriptions) == 1:
        console.print(f'gh variable set MISO_SUBSCRIPTION_ID --repo "$REPO" --body {subscriptions.pop()}', markup=False)


def _credentials(environments: Sequence[Environment], *, issuer: str) -> None:
    """https://learn.microsoft.com/cli/azure/identity/federated-credential#az-identity-federated-credential-create"""
    from bot.oidc.issue import subject
    from bot.oidc.keys import TERMS, Use

    console = out()
    console.print()
    console.print(Text("In Azure, one federated credential for each environment's identity:", style="bold"))
    for environment in environments:
        lines = (
            f"# {environment.stage}: identity with client id {environment.client_id}",
            f"az identity federated-credential create --name miso-{environment.stage}"
            f" --identity-name <its name> --resource-group {environment.resource_group} \\",
            f"  --subscription {environment.subscription_id} --issuer {issuer} \\",
            f"  --subject {subject(environment.id)} --audiences {TERMS[Use.ASSERTION].audience}",
        )
        for line in lines:
            console.print(line, markup=False)
