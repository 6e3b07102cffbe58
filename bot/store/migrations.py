"""The tables on SQLite, as numbered migrations that sqlite-utils records in the database itself.

Called once by `SqliteStore.open`. Within a minor release a migration only adds, so that an older process may run on
beside a newer one; a number that was ever released is never edited. Another engine runs the same numbers with DDL of
its own. Nothing here reads or writes data, but to fill a new column from what older rows tell already.

https://sqlite-utils.datasette.io/en/stable/migrations.html
"""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

MIGRATIONS = Migrations("miso")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to this version's shape; any number of processes may try at once.

    All of it happens in one immediate transaction, inside which sqlite-utils makes savepoints: its own `BEGIN` is a
    deferred one, and would fail at once where two processes start together.
    """
    db = Database(connection, execute_plugins=False)
    if not MIGRATIONS.pending(db):
        return  # so that a database that needs nothing is opened without a lock
    connection.execute("BEGIN IMMEDIATE")
    try:
        MIGRATIONS.apply(db)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _run(db: Database, script: str) -> None:
    # `executescript` would commit the transaction that we stand in.
    for statement in script.split(";\n"):
        if statement.strip():
            db.execute(statement)


@MIGRATIONS(name="0001_inbox")
def inbox(db: Database) -> None:
    # The body comes last: a row is read from the left, and the pages of a long body only when it is asked for.
    _run(
        db,
        """
        CREATE TABLE delivery (
          guid TEXT NOT NULL PRIMARY KEY,
          event TEXT NOT NULL,
          body_hash BLOB NOT NULL,
          state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'parked')),
          received_us INTEGER NOT NULL,
          due_us INTEGER NOT NULL,
          done_us INTEGER NOT NULL DEFAULT 0,
          attempts INTEGER NOT NULL DEFAULT 0,
          reopened INTEGER NOT NULL DEFAULT 0,
          holder TEXT NOT NULL DEFAULT '',
          held_until_us INTEGER NOT NULL DEFAULT 0,
          replay_of TEXT NOT NULL DEFAULT '',
          code TEXT NOT NULL DEFAULT '',
          note TEXT NOT NULL DEFAULT '',
          hook_target_id TEXT NOT NULL DEFAULT '',
          body BLOB NOT NULL
        );
        CREATE INDEX delivery_by_body ON delivery (body_hash, received_us);
        CREATE INDEX delivery_by_state ON delivery (state, received_us);
        CREATE INDEX delivery_by_time ON delivery (received_us);
        """,
    )


@MIGRATIONS(name="0002_journal")
def journal(db: Database) -> None:
    _run(
        db,
        """
        CREATE TABLE journal (
          position INTEGER PRIMARY KEY,
          stream TEXT NOT NULL,
          seq INTEGER NOT NULL CHECK (seq > 0),
          kind TEXT NOT NULL,
          v INTEGER NOT NULL,
          at_us INTEGER NOT NULL,
          actor_kind TEXT NOT NULL,
          actor_id INTEGER NOT NULL,
          application_id TEXT NOT NULL,
          environment_id TEXT NOT NULL,
          epoch INTEGER NOT NULL,
          body TEXT NOT NULL,
          prev TEXT NOT NULL,
          hash TEXT NOT NULL,
          UNIQUE (stream, seq)
        );
        CREATE INDEX journal_by_kind ON journal (kind, position);
        CREATE INDEX journal_by_environment ON journal (environment_id, position);
        CREATE INDEX journal_by_actor ON journal (kind, actor_id, at_us);
        CREATE TABLE checkpoint (
          number INTEGER PRIMARY KEY,
          at_us INTEGER NOT NULL,
          position INTEGER NOT NULL,
          heads TEXT NOT NULL,
          prev TEXT NOT NULL,
          hash TEXT NOT NULL
        );
        """,
    )


@MIGRATIONS(name="0003_projections")
def projections(db: Database) -> None:
    _run(
        db,
        """
        CREATE TABLE promotion (
          stream TEXT NOT NULL PRIMARY KEY,
          status TEXT NOT NULL,
          is_open INTEGER NOT NULL,
          head_seq INTEGER NOT NULL,
          application_id TEXT NOT NULL,
          environment_id TEXT NOT NULL,
          repository_id INTEGER NOT NULL,
          commit_sha TEXT NOT NULL,
          digest TEXT NOT NULL,
          verified INTEGER NOT NULL,
          pull_request INTEGER NOT NULL,
          requested_us INTEGER NOT NULL,
          wake_at_us INTEGER NOT NULL
        );
        CREATE INDEX promotion_open ON promotion (wake_at_us) WHERE is_open = 1;
        CREATE INDEX promotion_by_time ON promotion (requested_us);
        CREATE INDEX promotion_by_application ON promotion (application_id, requested_us);
        CREATE INDEX promotion_by_environment ON promotion (environment_id, requested_us);
        CREATE INDEX promotion_by_commit ON promotion (repository_id, commit_sha);
        CREATE INDEX promotion_by_pull_request ON promotion (repository_id, pull_request);
        CREATE TABLE environment_state (
          environment_id TEXT NOT NULL PRIMARY KEY,
          version INTEGER NOT NULL,
          running TEXT NOT NULL,
          last_verified TEXT NOT NULL,
          held TEXT NOT NULL,
          busy TEXT NOT NULL
        );
        """,
    )


@MIGRATIONS(name="0004_leases")
def leases(db: Database) -> None:
    _run(
        db,
        """
        CREATE TABLE lease (
          resource TEXT NOT NULL PRIMARY KEY,
          holder TEXT NOT NULL,
          stream TEXT NOT NULL,
          epoch INTEGER NOT NULL,
          until_us INTEGER NOT NULL
        );
        CREATE TABLE operation (
          stream TEXT NOT NULL,
          step TEXT NOT NULL,
          epoch INTEGER NOT NULL,
          continuation TEXT NOT NULL,
          started_us INTEGER NOT NULL,
          PRIMARY KEY (stream, step)
        );
        CREATE TABLE report (
          stream TEXT NOT NULL PRIMARY KEY,
          head_seq INTEGER NOT NULL,
          reported_seq INTEGER NOT NULL,
          due_us INTEGER NOT NULL,
          changed_us INTEGER NOT NULL
        );
        CREATE INDEX report_unreported ON report (changed_us) WHERE reported_seq < head_seq;
        CREATE TABLE surface (
          stream TEXT NOT NULL,
          surface TEXT NOT NULL,
          remote_id INTEGER NOT NULL,
          shown_seq INTEGER NOT NULL,
          body_hash TEXT NOT NULL,
          PRIMARY KEY (stream, surface)
        );
        """,
    )


@MIGRATIONS(name="0005_registry")
def registry(db: Database) -> None:
    _run(
        db,
        """
        CREATE TABLE application (
          id TEXT NOT NULL PRIMARY KEY,
          name TEXT NOT NULL,
          repository_id INTEGER NOT NULL,
          owner_id INTEGER NOT NULL,
          origin TEXT NOT NULL
        );
        CREATE INDEX application_by_repository ON application (repository_id);
        CREATE TABLE environment (
          id TEXT NOT NULL PRIMARY KEY,
          application_id TEXT NOT NULL REFERENCES application (id),
          github_name TEXT NOT NULL,
          stage TEXT NOT NULL,
          tenant_id TEXT NOT NULL,
          client_id TEXT NOT NULL,
          subscription_id TEXT NOT NULL,
          resource_group TEXT NOT NULL,
          location TEXT NOT NULL,
          target TEXT NOT NULL,
          name TEXT NOT NULL,
          plan TEXT NOT NULL,
          slot TEXT NOT NULL,
          dns_label TEXT NOT NULL,
          registry TEXT NOT NULL,
          pull_identity TEXT NOT NULL,
          pull_identity_resource_id TEXT NOT NULL,
          cpu REAL NOT NULL,
          memory_gb REAL NOT NULL,
          probe TEXT NOT NULL,
          settings TEXT NOT NULL,
          origin TEXT NOT NULL
        );
        CREATE INDEX environment_by_application ON environment (application_id);
        """,
    )


@MIGRATIONS(name="0006_environments")
def environments(db: Database) -> None:
    # A decision asks for one release's promotions and for one environment's open ones: neither must cost more with
    # every promotion that there ever was.
    # An older process beside us writes neither column of a state and leaves there what it finds. A promotion that it
    # projects has no time of its health: for the rules that is unknown, so it waits until this version sums it up.
    _run(
        db,
        """
        ALTER TABLE promotion ADD COLUMN verified_us INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE environment_state ADD COLUMN lock_body TEXT NOT NULL DEFAULT '';
        ALTER TABLE environment_state ADD COLUMN drift_body TEXT NOT NULL DEFAULT '';
        CREATE INDEX promotion_by_release ON promotion (application_id, commit_sha);
        CREATE INDEX promotion_open_here ON promotion (environment_id) WHERE is_open = 1;
        UPDATE promotion SET verified_us = COALESCE((
          SELECT MAX(j.at_us) FROM journal AS j WHERE j.stream = promotion.stream AND j.kind = 'probe.passed'), 0)
        WHERE verified = 1;
        """,
    )


@MIGRATIONS(name="0007_kept")
def kept(db: Database) -> None:
    _run(
        db,
        """
        CREATE TABLE kept (
          kind TEXT NOT NULL,
          key TEXT NOT NULL,
          owner TEXT NOT NULL,
          body TEXT NOT NULL,
          sealed INTEGER NOT NULL,
          version INTEGER NOT NULL,
          created_us INTEGER NOT NULL,
          until_us INTEGER NOT NULL,
          PRIMARY KEY (kind, key)
        );
        CREATE INDEX kept_by_owner ON kept (kind, owner, key);
        CREATE INDEX kept_by_end ON kept (until_us) WHERE until_us > 0;
        """,
    )


@MIGRATIONS(name="0008_erased")
def erased(db: Database) -> None:
    # What this version writes is sealed; what was written before is readable until it is done, and then erased like
    # the rest. An older process beside this one parks what it cannot read, and leaves the bodies of what it ends.
    _run(
        db,
        """
        UPDATE delivery SET body = x'' WHERE state = 'done' AND LENGTH(body) > 0;
        CREATE INDEX delivery_parked ON delivery (received_us) WHERE state = 'parked';
        """,
    )
