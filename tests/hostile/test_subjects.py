"""Every hostile subject token gets its code, and whoever wanted to help gets through."""

from __future__ import annotations

import pytest

from tests.hostile.conftest import Judge
from tests.hostile.forge import Forge, Hostile
from tests.hostile.jobs import JOBS
from tests.hostile.subjects import TOKENS

one_world = pytest.mark.asyncio(loop_scope="package")


@one_world
async def test_the_honest_token_is_let_through(forge: Forge, judge: Judge) -> None:
    assert await judge(forge.says()) is None


@one_world
@pytest.mark.parametrize("row", TOKENS, ids=lambda row: row.what)
async def test_rules_18_and_30_of_the_token_itself(forge: Forge, judge: Judge, row: Hostile) -> None:
    assert await judge(row.make(forge)) == row.code


@one_world
@pytest.mark.parametrize("row", JOBS, ids=lambda row: row.what)
async def test_rules_30_and_34_of_the_job(forge: Forge, judge: Judge, row: Hostile) -> None:
    assert await judge(row.make(forge)) == row.code


def test_no_trick_stands_there_twice() -> None:
    names = [row.what for row in (*TOKENS, *JOBS)]
    assert len(names) == len(set(names))
