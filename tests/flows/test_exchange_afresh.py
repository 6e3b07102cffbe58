"""What was remembered of the last minute lets workflows in and keeps none of them out."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.flows.stage import Stage
from tests.flows.workflow import Workflow, working


@pytest.fixture
async def workflow(stage: Stage) -> AsyncIterator[Workflow]:
    async with working(stage) as ready:
        yield ready


async def test_a_change_that_was_merged_a_moment_after_another_gets_its_token_too(workflow: Workflow) -> None:
    """The head of the default branch was read for the first one, and the clock has not moved since."""
    first = await workflow.builds("Add cart")
    assert (await workflow.exchange(await workflow.id_token("dev", first["run"]))).status == 200
    second = await workflow.builds("Add wishlist")
    told = await workflow.exchange(await workflow.id_token("dev", second["run"]))
    assert told.status == 200, told.body
