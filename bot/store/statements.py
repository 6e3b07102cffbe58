"""Every statement about what stays, one text per verb, with `:name` parameters; `passing` has the others.

The texts are those of both engines: no JSON operators, no booleans (0 and 1), no AUTOINCREMENT, upserts as
`ON CONFLICT … RETURNING` (https://www.sqlite.org/lang_returning.html, SQLite ≥ 3.35). Only DDL (`migrations`) and
`passing.TAKE_DELIVERIES` (which needs `FOR UPDATE SKIP LOCKED` with several writers) belong to one engine. Values are
always bound, never written into a text; `where` below joins fixed fragments only. Nothing here runs anything.
"""

# ruff: noqa: S608 - the rule sees a text put together; here that is only ever out of constants of this module

from __future__ import annotations

from collections.abc import Iterable

ROW = (
    "position, stream, seq, kind, v, at_us, actor_kind, actor_id, application_id, environment_id, epoch, body,"
    " prev, hash"
)
PROMOTION = (
    "stream, status, is_open, head_seq, application_id, environment_id, repository_id, commit_sha, digest, verified,"
    " pull_request, requested_us, wake_at_us, verified_us"
)
STATE = "environment_id, version, running, last_verified, held, busy, lock_body, drift_body"
APPLICATION = "id, name, repository_id, owner_id, origin"
ENVIRONMENT = (
    "id, application_id, github_name, stage, tenant_id, client_id, subscription_id, resource_group, location, target,"
    " name, plan, slot, dns_label, registry, pull_identity, pull_identity_resource_id, cpu, memory_gb, probe, settings,"
    " origin"
)


def where(fragments: Iterable[str]) -> str:
    """`WHERE a AND b`, or nothing. Fragments are constants of this package."""
    joined = " AND ".join(fragments)
    return f" WHERE {joined}" if joined else ""


# --- journal ---------------------------------------------------------------------------------------------------------

HEAD = "SELECT seq, hash FROM journal WHERE stream = :stream ORDER BY seq DESC LIMIT 1"

COUNT = """
SELECT COUNT(*) FROM journal
WHERE kind = :kind AND actor_id = :actor_id AND at_us >= :since_us AND stream >= :low AND stream < :high"""

COUNT_OF_STREAMS = """
SELECT COUNT(*) FROM journal WHERE kind = :kind AND at_us >= :since_us AND stream >= :low AND stream < :high"""

APPEND = """
INSERT INTO journal (stream, seq, kind, v, at_us, actor_kind, actor_id, application_id, environment_id, epoch, body,
  prev, hash)
VALUES (:stream, :seq, :kind, :v, :at_us, :actor_kind, :actor_id, :application_id, :environment_id, :epoch, :body,
  :prev, :hash)
ON CONFLICT (stream, seq) DO NOTHING
RETURNING position"""

STREAM = f"SELECT {ROW} FROM journal WHERE stream = :stream ORDER BY seq"

NEWEST = f"SELECT {ROW} FROM journal WHERE stream = :stream AND kind = :kind ORDER BY seq DESC LIMIT 1"

EVERY_STREAM = f"SELECT {ROW} FROM journal ORDER BY stream, seq"


def ledger(*, kinds: int, environment: bool) -> str:
    """By rising position; binds :after, :limit, :environment_id (when asked for) and :kind_0, :kind_1, …"""
    fragments = ["position > :after"]
    if environment:
        fragments.append("environment_id = :environment_id")
    if kinds:
        fragments.append(f"kind IN ({', '.join(f':kind_{at}' for at in range(kinds))})")
    return f"SELECT {ROW} FROM journal{where(fragments)} ORDER BY position LIMIT :limit"


LAST_CHECKPOINT = "SELECT number, position, hash FROM checkpoint ORDER BY number DESC LIMIT 1"

HEADS_SINCE = """
SELECT j.stream, j.seq, j.hash FROM journal AS j
JOIN (SELECT stream, MAX(seq) AS seq FROM journal WHERE position > :after GROUP BY stream) AS newest
  ON j.stream = newest.stream AND j.seq = newest.seq
ORDER BY j.stream"""

WRITE_CHECKPOINT = """
INSERT INTO checkpoint (number, at_us, position, heads, prev, hash)
VALUES (:number, :at_us, :position, :heads, :prev, :hash)"""

CHECKPOINTS = "SELECT number, at_us, position, heads, prev, hash FROM checkpoint ORDER BY number"

HASH_AT = "SELECT hash FROM journal WHERE stream = :stream AND seq = :seq"

PROJECTED_HEADS = """
SELECT p.stream, p.head_seq, COALESCE((SELECT MAX(j.seq) FROM journal AS j WHERE j.stream = p.stream), 0)
FROM promotion AS p ORDER BY p.stream"""


# --- projections -----------------------------------------------------------------------------------------------------

# The time of the request is that of the stream's first row, whoever sums it up and whenever.
PROJECT = f"""
INSERT INTO promotion ({PROMOTION})
VALUES (:stream, :status, :is_open, :head_seq, :application_id, :environment_id, :repository_id, :commit_sha, :digest,
  :verified, :pull_request, COALESCE((SELECT at_us FROM journal WHERE stream = :stream AND seq = 1), :requested_us),
  :wake_at_us, :verified_us)
ON CONFLICT (stream) DO UPDATE SET
  status = excluded.status, is_open = excluded.is_open, head_seq = excluded.head_seq,
  application_id = excluded.application_id, environment_id = excluded.environment_id,
  repository_id = excluded.repository_id, commit_sha = excluded.commit_sha, digest = excluded.digest,
  verified = excluded.verified, pull_request = excluded.pull_request, requested_us = excluded.requested_us,
  wake_at_us = excluded.wake_at_us, verified_us = excluded.verified_us"""

ONE_PROMOTION = f"SELECT {PROMOTION} FROM promotion WHERE stream = :stream"


def open_promotions(*, environment: bool) -> str:
    """Earliest wake first; binds :limit and :environment_id (when asked for)."""
    fragments = ["is_open = 1"] + (["environment_id = :environment_id"] if environment else [])
    return f"SELECT {PROMOTION} FROM promotion{where(fragments)} ORDER BY wake_at_us, requested_us, stream LIMIT :limit"


PROMOTION_FILTERS = {
    "application_id": "application_id = :application_id",
    "environment_id": "environment_id = :environment_id",
    "repository_id": "repository_id = :repository_id",
    "pull_request": "pull_request = :pull_request",
    "commit_prefix": "commit_sha >= :commit_prefix AND commit_sha < :commit_end",
    "verified": "verified = :verified",
}


def promotions(filters: Iterable[str]) -> str:
    """Newest request first, narrowed by the named filters of `PROMOTION_FILTERS`; binds theirs and :limit."""
    fragments = [PROMOTION_FILTERS[name] for name in filters]
    return f"SELECT {PROMOTION} FROM promotion{where(fragments)} ORDER BY requested_us DESC, stream DESC LIMIT :limit"


# A state of version n replaces version n - 1 only; the first must be version 1.
SET_ENVIRONMENT = f"""
INSERT INTO environment_state ({STATE})
SELECT :environment_id, :version, :running, :last_verified, :held, :busy, :lock_body, :drift_body
WHERE :version = 1 OR EXISTS (SELECT 1 FROM environment_state WHERE environment_id = :environment_id)
ON CONFLICT (environment_id) DO UPDATE SET
  version = excluded.version, running = excluded.running, last_verified = excluded.last_verified, held = excluded.held,
  busy = excluded.busy, lock_body = excluded.lock_body, drift_body = excluded.drift_body
WHERE environment_state.version = excluded.version - 1
RETURNING version"""

ENVIRONMENT_STATE = f"SELECT {STATE} FROM environment_state WHERE environment_id = :environment_id"


# --- leases and operations -------------------------------------------------------------------------------------------

# Expiry is judged here, by the clock that is bound; the epoch only rises, even over a lease that was given back.
CLAIM = """
INSERT INTO lease (resource, holder, stream, epoch, until_us) VALUES (:resource, :holder, :stream, 1, :until_us)
ON CONFLICT (resource) DO UPDATE SET
  holder = excluded.holder, stream = excluded.stream, epoch = lease.epoch + 1, until_us = excluded.until_us
WHERE lease.until_us <= :now_us OR (lease.holder = excluded.holder AND lease.stream = excluded.stream)
RETURNING epoch"""

# Writing the row is what keeps it still until the commit on an engine with many writers.
FENCE = """
UPDATE lease SET epoch = epoch WHERE resource = :resource AND epoch = :epoch AND until_us > :now_us
RETURNING epoch"""

FREE = """
UPDATE lease SET holder = '', stream = '', until_us = 0 WHERE resource = :resource AND epoch = :epoch"""

RENEW = """
UPDATE lease SET until_us = :until_us WHERE resource = :resource AND epoch = :epoch AND until_us > :now_us
RETURNING epoch"""

LEASES = "SELECT resource, holder, stream, epoch, until_us FROM lease WHERE until_us > :now_us ORDER BY resource"

# A lease that ran out but that nobody took is not stale: its continuation is worth more kept than lost.
SAVE_OPERATION = """
INSERT INTO operation (stream, step, epoch, continuation, started_us)
SELECT :stream, :step, :epoch, :continuation, :started_us
WHERE EXISTS (SELECT 1 FROM lease WHERE stream = :stream AND epoch = :epoch)
ON CONFLICT (stream, step) DO UPDATE SET
  epoch = excluded.epoch, continuation = excluded.continuation, started_us = excluded.started_us
WHERE operation.epoch <= excluded.epoch
RETURNING epoch"""

ONE_OPERATION = """
SELECT stream, step, epoch, continuation, started_us FROM operation WHERE stream = :stream AND step = :step"""

FORGET_OPERATION = "DELETE FROM operation WHERE stream = :stream AND step = :step"


# --- reports ---------------------------------------------------------------------------------------------------------

SURFACES = (
    "SELECT stream, surface, remote_id, shown_seq, body_hash FROM surface WHERE stream = :stream ORDER BY surface"
)

SAVE_SURFACE = """
INSERT INTO surface (stream, surface, remote_id, shown_seq, body_hash)
VALUES (:stream, :surface, :remote_id, :shown_seq, :body_hash)
ON CONFLICT (stream, surface) DO UPDATE SET
  remote_id = excluded.remote_id, shown_seq = excluded.shown_seq, body_hash = excluded.body_hash"""

# `changed_us` stays at the first change that is not reported yet: a busy stream does not push itself to the end.
TO_REPORT = """
INSERT INTO report (stream, head_seq, reported_seq, due_us, changed_us) VALUES (:stream, :seq, 0, 0, :now_us)
ON CONFLICT (stream) DO UPDATE SET head_seq = excluded.head_seq,
  changed_us = CASE WHEN report.reported_seq < report.head_seq THEN report.changed_us ELSE excluded.changed_us END"""

UNREPORTED = """
SELECT stream, head_seq FROM report WHERE reported_seq < head_seq AND due_us <= :now_us
ORDER BY changed_us, stream LIMIT :limit"""

REPORTED = """
UPDATE report SET reported_seq = :seq, due_us = 0, changed_us = :now_us
WHERE stream = :stream AND reported_seq <= :seq"""

REPORT_LATER = """
UPDATE report SET due_us = :due_us WHERE stream = :stream AND reported_seq < :seq"""


# --- registry --------------------------------------------------------------------------------------------------------

APPLICATIONS = f"SELECT {APPLICATION} FROM application ORDER BY name, id"
APPLICATIONS_OF = f"SELECT {APPLICATION} FROM application WHERE repository_id = :repository_id ORDER BY name, id"
ONE_APPLICATION = f"SELECT {APPLICATION} FROM application WHERE id = :id"
ENVIRONMENTS = f"SELECT {ENVIRONMENT} FROM environment ORDER BY application_id, github_name, id"
ENVIRONMENTS_OF = (
    f"SELECT {ENVIRONMENT} FROM environment WHERE application_id = :application_id ORDER BY github_name, id"
)
ONE_ENVIRONMENT = f"SELECT {ENVIRONMENT} FROM environment WHERE id = :id"


def _replace(table: str, columns: str) -> str:
    """Insert a row whole, or replace every column of the one with its id."""
    names = columns.split(", ")
    values = ", ".join(f":{name}" for name in names)
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name != "id")
    return f"INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT (id) DO UPDATE SET {changes}"


SAVE_APPLICATION = _replace("application", APPLICATION)
SAVE_ENVIRONMENT = _replace("environment", ENVIRONMENT)
