"""Units of the registry: which application GUID is which repository, and which environment GUID deploys where.

Called by `SqliteStore`, inside a transaction. Every change is told in the journal, in the same transaction; what is
equal already is neither written nor told. Whether a change is right is for the caller to judge, but for one thing: an
environment never moves to another application, because its lease, its history and its federation are the old one's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from sqlite3 import Connection

from bot.domain.codes import Code
from bot.domain.model import SYSTEM, Append, Application, Environment, NewRow
from bot.errors import Refused
from bot.store import journal, statements
from bot.store.rows import application_columns, application_from, environment_columns, environment_from

KIND = "registry.changed"


def applications(db: Connection) -> Sequence[Application]:
    return [application_from(row) for row in db.execute(statements.APPLICATIONS)]


def applications_of(db: Connection, repository_id: int) -> Sequence[Application]:
    rows = db.execute(statements.APPLICATIONS_OF, {"repository_id": repository_id})
    return [application_from(row) for row in rows]


def application(db: Connection, application_id: str) -> Application | None:
    row = db.execute(statements.ONE_APPLICATION, {"id": application_id}).fetchone()
    return application_from(row) if row else None


def environments(db: Connection, application_id: str) -> Sequence[Environment]:
    if application_id:
        rows = db.execute(statements.ENVIRONMENTS_OF, {"application_id": application_id})
    else:
        rows = db.execute(statements.ENVIRONMENTS)
    return [environment_from(row) for row in rows]


def environment(db: Connection, environment_id: str) -> Environment | None:
    row = db.execute(statements.ONE_ENVIRONMENT, {"id": environment_id}).fetchone()
    return environment_from(row) if row else None


def register(db: Connection, new: Application, news: Sequence[Environment], *, now_us: int) -> None:
    """Raises Refused (`guid_not_bound`) for an environment that belongs to another application."""
    body: dict[str, object] = {}
    changed = _difference(application(db, new.id), new)
    if changed:
        db.execute(statements.SAVE_APPLICATION, application_columns(new))
        body["application"] = changed
    changes = {each.id: difference for each in news if (difference := _save_environment(db, each))}
    if changes:
        body["environments"] = changes
    if not body:
        return
    stream = f"registry:{new.id}"
    seq, _ = journal.head(db, stream)
    row = NewRow(kind=KIND, actor=SYSTEM, application_id=new.id, body=body)
    prepared = journal.prepare(Append(stream=stream, seq=seq + 1, rows=(row,)))
    journal.write_rows(db, prepared.columns, epoch=None, now_us=now_us)


def _save_environment(db: Connection, new: Environment) -> list[str]:
    old = environment(db, new.id)
    if old is not None and old.application_id != new.application_id:
        raise Refused(
            Code.GUID_NOT_BOUND,
            "An environment with this id is registered for another application.",
            "Give each environment an id of its own.",
        )
    changed = _difference(old, new)
    if changed:
        db.execute(statements.SAVE_ENVIRONMENT, environment_columns(new))
    return changed


def _difference(old: Application | Environment | None, new: Application | Environment) -> list[str]:
    """Names of the fields that differ; all of them for something new."""
    return [field.name for field in fields(new) if old is None or getattr(old, field.name) != getattr(new, field.name)]
