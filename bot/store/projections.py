"""Units of the projections: a promotion's row and an environment's state, as lists, ticks and pages read them.

Written by `journal` in the transaction of the rows that they sum up; read by `SqliteStore`. What they say is decided in
`bot.domain`; nothing here folds anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sqlite3 import Connection

from bot.domain.model import EnvironmentState, PromotionRow
from bot.store import statements
from bot.store.rows import promotion_columns, promotion_from, state_columns, state_from


def project(db: Connection, promotion: PromotionRow) -> None:
    """`requested_us` is taken from the stream's first row, where a later fold will find it too."""
    db.execute(statements.PROJECT, promotion_columns(promotion))


def set_environment(db: Connection, state: EnvironmentState) -> bool:
    """False when the stored version is not the one just below."""
    return db.execute(statements.SET_ENVIRONMENT, state_columns(state)).fetchone() is not None


def promotion(db: Connection, stream: str) -> PromotionRow | None:
    row = db.execute(statements.ONE_PROMOTION, {"stream": stream}).fetchone()
    return promotion_from(row) if row else None


def open_promotions(db: Connection, environment_id: str, limit: int) -> Sequence[PromotionRow]:
    query = statements.open_promotions(environment=bool(environment_id))
    return [promotion_from(row) for row in db.execute(query, {"environment_id": environment_id, "limit": limit})]


def promotions(db: Connection, filters: Mapping[str, str | int], limit: int) -> Sequence[PromotionRow]:
    """`filters` names columns of `statements.PROMOTION_FILTERS` and what they must be."""
    values = {**filters, "limit": limit}
    if "commit_prefix" in filters:
        # A range, because LIKE with a bound pattern uses no index; "g" is the first letter past the hex digits.
        values["commit_end"] = f"{filters['commit_prefix']}g"
    return [promotion_from(row) for row in db.execute(statements.promotions(filters), values)]


def environment_state(db: Connection, environment_id: str) -> EnvironmentState:
    row = db.execute(statements.ENVIRONMENT_STATE, {"environment_id": environment_id}).fetchone()
    return state_from(row) if row else EnvironmentState(environment_id=environment_id)
