"""Which release is meant: digits that fit two commits are refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.codes import Code
from bot.domain.model import Stage as Where
from bot.errors import Refused
from bot.services import choosing
from tests.flows.stage import Stage, staged


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as ready:
        yield ready


async def test_digits_that_fit_two_commits_are_no_name(stage: Stage) -> None:
    """Commands ask for twelve digits, which is no proof: here are as many as two commits surely share."""
    first, second = await stage.ships("First"), await stage.ships("Second")
    [application] = await stage.miso.store.applications()
    with pytest.raises(Refused) as no:
        await choosing.find_release(stage.miso, application, "", Where.TEST)
    assert no.value.code == Code.SHA_AMBIGUOUS
    for pull in (first, second):
        commit = pull["merge_commit_sha"]
        found = await choosing.find_release(stage.miso, application, commit[:12], Where.TEST)
        assert found is not None
        assert (found.commit, found.digest) == (commit, pull["digest"])
