"""The last look of the story finds a secret wherever it was written down, and tells its name alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.cli.demo.leaks import leaks, ledger

SECRET = "misoa_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The controller's folder: a database with a row, its keys, and a log beside it."""
    folder = tmp_path / "controller"
    (folder / "keys").mkdir(parents=True)
    (folder / "keys" / "token.0001.pem").write_text(SECRET)
    (folder / "seal.key").write_text(SECRET)
    (tmp_path / "controller.log").write_text("calm\n")
    with closing(sqlite3.connect(folder / "miso.sqlite")) as store:
        store.execute("CREATE TABLE journal (stream, seq, kind, actor_kind, actor_id)")
        store.execute("INSERT INTO journal VALUES ('a', 2, 'promotion.approved', 'person', 12)")
        store.execute("INSERT INTO journal VALUES ('a', 1, 'promotion.requested', 'person', 11)")
        store.execute("INSERT INTO journal VALUES ('b', 1, 'other', 'system', 0)")
        store.commit()
    return folder


def found(data: Path, github: object = None) -> list[str]:
    return leaks({"ann's token": SECRET}, data, data.parent / "controller.log", github)


def test_where_secrets_are_kept_they_may_be(data: Path) -> None:
    assert found(data, {"comments": ["hello"]}) == []


def test_in_the_database(data: Path) -> None:
    with closing(sqlite3.connect(data / "miso.sqlite")) as store:
        store.execute("INSERT INTO journal VALUES (?, 1, 'x', 'system', 0)", [f"https://x/?t={SECRET}"])
        store.commit()
    assert found(data) == ["ann's token in miso.sqlite"]


def test_in_the_log_beside_it_and_on_github(data: Path) -> None:
    (data.parent / "controller.log").write_text(f"Authorization: Bearer {SECRET}\n")
    (data / "miso.sqlite-wal").write_bytes(b"\0" + SECRET.encode())
    told = found(data, {"pulls": [{"comments": [{"body": SECRET}]}]})
    assert told == ["ann's token in GitHub", "ann's token in controller.log", "ann's token in miso.sqlite-wal"]
    assert SECRET not in str(told)


def test_the_ledger_is_read_in_order(data: Path) -> None:
    assert ledger(data, "a") == [("promotion.requested", "person", 11), ("promotion.approved", "person", 12)]
    assert ledger(data, "c") == []
