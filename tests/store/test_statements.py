"""The texts stay those of both engines, and no list reads a whole table for its first page."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import pytest

from bot.store import migrations, passing, statements

PROMOTION_LISTS = [
    statements.promotions([]),
    *(
        statements.promotions(filters)
        for filters in (["application_id"], ["environment_id"], ["repository_id", "pull_request"])
    ),
    statements.promotions(["repository_id", "commit_prefix"]),
]
CONSTANTS = {
    name: text
    for module in (statements, passing)
    for name, text in vars(module).items()
    if name.isupper() and isinstance(text, str)
}
TEXTS = [
    *(
        text
        for text in CONSTANTS.values()
        if " " in text.strip() and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)", text)
    ),
    *(passing.deliveries(state=state, before=before) for state in (True, False) for before in (True, False)),
    *(statements.ledger(kinds=kinds, environment=environment) for kinds in (0, 2) for environment in (True, False)),
    *(statements.open_promotions(environment=environment) for environment in (True, False)),
    *(passing.kept_by(owner=owner) for owner in (True, False)),
    *PROMOTION_LISTS,
]


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrations.migrate(connection)
    yield connection
    connection.close()


def names(text: str) -> dict[str, int]:
    return dict.fromkeys(re.findall(r":([a-z_0-9]+)", text), 1)


def plan(database: sqlite3.Connection, text: str) -> str:
    return "\n".join(str(step[-1]) for step in database.execute(f"EXPLAIN QUERY PLAN {text}", names(text)))


@pytest.mark.parametrize("text", TEXTS)
def test_a_statement_uses_only_what_both_engines_know(database: sqlite3.Connection, text: str) -> None:
    plan(database, text)
    for foreign in (
        "->",
        "json",
        "AUTOINCREMENT",
        "TRUE",
        "FALSE",
        "?",
        "OR REPLACE",
        "OR IGNORE",
        "rowid",
        "unixepoch",
    ):
        assert not re.search(rf"(?<!\w){re.escape(foreign)}", text), foreign


@pytest.mark.parametrize(
    "text",
    [
        *PROMOTION_LISTS,
        statements.open_promotions(environment=False),
        statements.UNREPORTED,
        statements.COUNT,
        passing.TAKE_DELIVERIES,
        passing.RECEIVE,
        passing.deliveries(state=True, before=True),
        passing.deliveries(state=False, before=True),
        passing.deliveries(state=False, before=False),
        statements.ledger(kinds=1, environment=False),
        statements.ledger(kinds=0, environment=True),
        statements.STREAM,
        statements.HEAD,
        statements.NEWEST,
        passing.ERASE_PARKED,
        passing.ONE_KEPT,
        passing.PURGE_KEPT,
        passing.kept_by(owner=True),
        passing.kept_by(owner=False),
    ],
)
def test_what_is_asked_often_goes_by_an_index(database: sqlite3.Connection, text: str) -> None:
    for step in plan(database, text).splitlines():
        assert not step.startswith("SCAN") or "USING INDEX" in step, step


def test_the_newest_of_a_kind_is_looked_for_in_its_stream_alone(database: sqlite3.Connection) -> None:
    """By kind, it would be sought among all streams."""
    assert "(stream=?)" in plan(database, statements.NEWEST)


def test_a_decision_costs_the_same_however_long_the_past_is(database: sqlite3.Connection) -> None:
    """By application or environment alone, it would read every promotion that there ever was."""
    of_release = statements.promotions({"application_id": 1, "commit_prefix": 1, "verified": 1})
    assert "promotion_by_release (application_id=? AND commit_sha>? AND commit_sha<?)" in plan(database, of_release)
    assert "promotion_open_here (environment_id=?)" in plan(database, statements.open_promotions(environment=True))
