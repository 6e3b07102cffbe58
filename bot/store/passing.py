"""Every statement about what passes: webhooks, whose bodies are erased, and what expires. To the rules of `statements`.

Run by `inbox`, `kept` and `leases`. Nothing here runs anything.
"""

# ruff: noqa: S608 - the rule sees a text put together; here that is only ever out of constants of this module

from __future__ import annotations

from bot.store.statements import where

DELIVERY = (
    "guid, event, body, state, received_us, done_us, attempts, replay_of, code, note, hook_target_id"  # in this order
)
KEPT = "kind, key, owner, body, sealed, version, created_us, until_us"


# --- inbox -----------------------------------------------------------------------------------------------------------

# One statement a delivery: a new one comes back with reopened = 0, a parked one with a higher number, a known one not
# at all. The subselect is rule 21: the signature covers the body only, so a replay shows as the same body. A body that
# was erased comes back with its redelivery; another body under its GUID does not.
RECEIVE = """
INSERT INTO delivery (guid, event, body, body_hash, state, received_us, due_us, replay_of, hook_target_id)
VALUES (:guid, :event, :body, :body_hash, 'waiting', :received_us, 0, COALESCE((
  SELECT d.guid FROM delivery AS d
  WHERE d.body_hash = :body_hash AND d.guid <> :guid ORDER BY d.received_us, d.guid LIMIT 1), ''), :hook_target_id)
ON CONFLICT (guid) DO UPDATE SET
  state = 'waiting', attempts = 0, due_us = 0, holder = '', held_until_us = 0, code = '', note = '',
  reopened = delivery.reopened + 1,
  body = CASE WHEN LENGTH(delivery.body) = 0 THEN excluded.body ELSE delivery.body END
WHERE delivery.state = 'parked' AND (LENGTH(delivery.body) > 0 OR delivery.body_hash = excluded.body_hash)
RETURNING reopened"""

TAKE_DELIVERIES = f"""
UPDATE delivery SET holder = :holder, held_until_us = :until_us
WHERE guid IN (
  SELECT guid FROM delivery WHERE state = 'waiting' AND due_us <= :now_us AND held_until_us <= :now_us
  ORDER BY received_us, guid LIMIT :limit)
RETURNING {DELIVERY}"""

RETRY_DELIVERY = """
UPDATE delivery SET attempts = attempts + 1, due_us = :due_us, holder = '', held_until_us = 0, code = :code,
  note = :note
WHERE guid = :guid AND state = 'waiting'"""

PARK_DELIVERY = """
UPDATE delivery SET attempts = attempts + 1, state = 'parked', holder = '', held_until_us = 0, code = :code,
  note = :note
WHERE guid = :guid AND state = 'waiting'"""

END_DELIVERY = """
UPDATE delivery SET state = 'done', done_us = :now_us, holder = '', held_until_us = 0, code = '', note = '',
  body = :erased
WHERE guid = :guid AND state <> 'done'"""

REOPEN_DELIVERY = """
UPDATE delivery SET state = 'waiting', attempts = 0, due_us = 0, holder = '', held_until_us = 0, code = '', note = '',
  reopened = reopened + 1
WHERE guid = :guid AND state = 'parked' AND LENGTH(body) > 0
RETURNING guid"""

ERASE_PARKED = """
UPDATE delivery SET body = :erased WHERE guid IN (
  SELECT guid FROM delivery WHERE state = 'parked' AND received_us <= :before_us AND LENGTH(body) > 0
  ORDER BY received_us LIMIT :limit)"""

BODY_HASHES = "SELECT guid, body_hash FROM delivery"

KEY_BODY_HASH = "UPDATE delivery SET body_hash = :body_hash WHERE guid = :guid"

ONE_DELIVERY = f"SELECT {DELIVERY} FROM delivery WHERE guid = :guid"


def deliveries(*, state: bool, before: bool) -> str:
    """Newest first; binds :state, :before_us (when asked for) and :limit."""
    fragments = [text for asked, text in ((state, "state = :state"), (before, "received_us < :before_us")) if asked]
    return f"SELECT {DELIVERY} FROM delivery{where(fragments)} ORDER BY received_us DESC, guid DESC LIMIT :limit"


# --- what expires ----------------------------------------------------------------------------------------------------

# Expiry is judged here, by the clock that is bound: what ran out counts as absent, and is replaced by what begins anew.
KEEP_NEW = """
INSERT INTO kept (kind, key, owner, body, sealed, version, created_us, until_us)
VALUES (:kind, :key, :owner, :body, :sealed, 1, :now_us, :until_us)
ON CONFLICT (kind, key) DO UPDATE SET
  owner = excluded.owner, body = excluded.body, sealed = excluded.sealed, version = 1,
  created_us = excluded.created_us, until_us = excluded.until_us
WHERE kept.until_us > 0 AND kept.until_us <= :now_us
RETURNING version"""

KEEP_CHANGED = """
UPDATE kept SET owner = :owner, body = :body, sealed = :sealed, version = version + 1, until_us = :until_us
WHERE kind = :kind AND key = :key AND version = :version AND (until_us = 0 OR until_us > :now_us)
RETURNING version"""

KEEP_ANY = """
INSERT INTO kept (kind, key, owner, body, sealed, version, created_us, until_us)
VALUES (:kind, :key, :owner, :body, :sealed, 1, :now_us, :until_us)
ON CONFLICT (kind, key) DO UPDATE SET
  owner = excluded.owner, body = excluded.body, sealed = excluded.sealed, until_us = excluded.until_us,
  version = CASE WHEN kept.until_us = 0 OR kept.until_us > :now_us THEN kept.version + 1 ELSE 1 END,
  created_us = CASE WHEN kept.until_us = 0 OR kept.until_us > :now_us THEN kept.created_us ELSE excluded.created_us END
RETURNING version"""

TAKE_AWAY = "DELETE FROM kept WHERE kind = :kind AND key = :key"

TAKE_AWAY_VERSION = """
DELETE FROM kept
WHERE kind = :kind AND key = :key AND version = :version AND (until_us = 0 OR until_us > :now_us)
RETURNING version"""

ONE_KEPT = f"""
SELECT {KEPT} FROM kept WHERE kind = :kind AND key = :key AND (until_us = 0 OR until_us > :now_us)"""


def kept_by(*, owner: bool) -> str:
    """By rising key; binds :kind, :after, :limit, :now_us and :owner (when asked for)."""
    fragments = ["kind = :kind", *(["owner = :owner"] if owner else []), "key > :after"]
    fragments.append("(until_us = 0 OR until_us > :now_us)")
    return f"SELECT {KEPT} FROM kept{where(fragments)} ORDER BY key LIMIT :limit"


PURGE_KEPT = """
DELETE FROM kept WHERE (kind, key) IN (
  SELECT kind, key FROM kept WHERE until_us > 0 AND until_us <= :now_us ORDER BY until_us LIMIT :limit)"""


# --- operations that nobody took up again ----------------------------------------------------------------------------

PURGE_OPERATIONS = "DELETE FROM operation WHERE started_us <= :before_us"
