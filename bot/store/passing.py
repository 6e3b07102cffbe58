"""Every statement about what passes: what expires, and is removed. Written to the rules of `statements`.

Run by `kept`. Nothing here runs anything.
"""

# ruff: noqa: S608 - the rule sees a text put together; here that is only ever out of constants of this module

from __future__ import annotations

from bot.store.statements import where

KEPT = "kind, key, owner, body, sealed, version, created_us, until_us"

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
