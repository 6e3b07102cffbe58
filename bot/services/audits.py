"""What others did: a deployment that went around us, a repository that was renamed or transferred.

Called by the doors. It writes rows and changes nothing else: what was not asked of Miso is shown, never executed.
"""

from __future__ import annotations

from bot.context import Miso
from bot.domain import catalog
from bot.domain.codes import Code
from bot.domain.model import Actor, ActorKind, Environment
from bot.errors import Transient
from bot.services import access, journal, notes
from bot.services.access import Origin
from bot.services.notes import Note


async def deployment_seen(
    miso: Miso,
    origin: Origin,
    *,
    deployment_id: int,
    commit: str,
    environment: str,
    login: str,
    user_id: int,
    by_actions: bool,
) -> None:
    """A GitHub deployment that is not ours. On a registered environment it is written down as out of band.

    A workflow job with `environment:` makes GitHub create one too; that one is judged at its gate, so it is written
    down without an alarm.
    """
    applications, environments = await access.registered(miso, origin.repository_id)
    for application in applications:
        found = catalog.find_environment(environments, application.id, environment)
        if not isinstance(found, Environment):
            continue
        stream = journal.stream_id("foreign", origin.repository_id, deployment_id)
        rows = await miso.store.stream(stream)
        if rows:
            return
        body = {
            "installation": origin.installation_id,
            "repository": origin.repository_id,
            "deployment": deployment_id,
            "commit": commit,
            "environment": found.github_name,
            "login": login,
            "by_actions": by_actions,
        }
        actor = Actor(kind=ActorKind.PERSON, id=user_id, login=login)
        await notes.write(
            miso,
            stream,
            rows,
            Note.DEPLOYMENT_FOREIGN,
            actor,
            body,
            application_id=application.id,
            environment_id=found.id,
            inbox_done=origin.delivery,
            show=not by_actions,
        )


async def pushed(miso: Miso, origin: Origin, *, pull_request: int, user_id: int, login: str) -> None:
    """Somebody pushed to a pull request of a registered repository: one row for each account."""
    applications, _ = await access.registered(miso, origin.repository_id)
    if not applications:
        return
    stream = pushes(origin.repository_id, pull_request)
    body = {"repository": origin.repository_id, "pull_request": pull_request, "login": login}
    actor = Actor(kind=ActorKind.PERSON, id=user_id, login=login)
    for _ in range(journal.RACES):
        rows = await miso.store.stream(stream)
        if any(row.actor_id == user_id for row in rows):
            return
        if await notes.write(miso, stream, rows, Note.PULL_PUSHED, actor, body, inbox_done=origin.delivery, show=False):
            return
    raise Transient(Code.STORE_UNAVAILABLE, "Too many pushes were written down at once.")


def pushes(repository_id: int, pull_request: int) -> str:
    """Stream of a pull request's pushers."""
    return journal.stream_id("pushes", repository_id, pull_request)


async def repository_moved(
    miso: Miso, origin: Origin, *, full_name: str, owner_id: int, user_id: int, login: str
) -> None:
    """Note a rename, which is followed, or a transfer, which stops deployments until the registry names the owner."""
    applications, _ = await access.registered(miso, origin.repository_id)
    for application in applications:
        moved = application.owner_id != owner_id
        kind = Note.REPOSITORY_TRANSFERRED if moved else Note.REPOSITORY_RENAMED
        stream = journal.stream_id("moved", application.id, origin.delivery)
        rows = await miso.store.stream(stream)
        if rows:
            continue
        body = {"repository": origin.repository_id, "full_name": full_name, "owner": owner_id, "login": login}
        actor = Actor(kind=ActorKind.PERSON, id=user_id, login=login)
        await notes.write(miso, stream, rows, kind, actor, body, application_id=application.id, show=False)
