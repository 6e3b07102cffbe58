"""What must be so when the first write of a promotion begins, by the observer's own books and eyes.

`may_begin` raises `Broken` with the first thing that is not. Each line is a promise of the security rules.
"""

from __future__ import annotations

import re

from tests.domain.journey.books import Books, Story, must
from tests.domain.journey.world import HOUR, MINUTE, RUN, lineage

ALWAYS = frozenset({"identity", "binding", "image_exists", "environments", "states", "bans", "open", "policy"})
"""What has to be known for every deployment."""


def may_begin(books: Books, story: Story, now_us: int) -> None:
    world, release, stage = books.world, story.release, story.stage
    demanded = world.policies.stages[stage]
    must(not story.over, "it was stopped, and begins")
    must(not books.busy.get(stage), "two deployments at once")
    must(not world.dark & needed(books, story), f"not known, and begun: {world.dark & needed(books, story)}")
    must(world.writes(story.requester), "the requester has no right any more")
    must(set(re.findall(r"sha256:\w+", story.plan)) == {release.digest}, "another digest than was asked for")
    must(f"'{world.settings[stage]}'" in story.plan or not world.settings[stage], "another plan than the registry's")
    must(release.digest not in world.gone, "its image is gone")
    must(not books.bans & {release.commit, release.digest}, "it is banned")
    must(not any(_same(release, held) for held in books.holds.values()), "it is held")
    owner, until_us = books.locks.get(stage, (0, 0))
    locked = owner and owner != story.requester and (not until_us or now_us < until_us)
    must(not locked or "lock" in story.skipped, "somebody else keeps the place as it is")
    if story.rollback:
        must(books.was_healthy(stage, release), "back to what was never healthy there")
    else:
        _forward(books, story, now_us)
    needs = people(books, story)
    agreed = [person for person in story.words if _counts(books, story, person, now_us)]
    must(len(agreed) >= needs, f"{len(agreed)} of {needs} agreed")
    if story.glass:
        must(demanded.break_glass, "the policy knows no way past rules")
        last = max(word.at_us for word in story.words.values())
        limit = world.policies.break_glass_minutes * MINUTE
        must(last - story.asked_us <= limit and now_us - last <= limit, "break-glass has run out")


def _same(release: object, held: object) -> bool:
    commit, digest = getattr(release, "commit", ""), getattr(release, "digest", "")
    return commit == getattr(held, "commit", "-") or digest == getattr(held, "digest", "-")


def _forward(books: Books, story: Story, now_us: int) -> None:
    """What a rollback is free of."""
    world, release, stage = books.world, story.release, story.stage
    demanded, running = world.policies.stages[stage], books.running(stage)
    must(running is None or running.commit in lineage(release.commit), "older than what runs, or beside it")
    must(not (demanded.freezes and world.night()) or "freeze" in story.skipped, "it is frozen")
    check = world.checks[release.commit]
    must(not demanded.checks or check.conclusion == "success" or "checks" in story.skipped, "a check did not succeed")
    if stage.before is None:
        return
    must(story.requester != RUN.id, "a build goes no further than the first stage by itself")
    healthy = books.was_healthy(stage.before, release)
    must(healthy or "order" in story.skipped, "it was never healthy one stage earlier")
    stands = [at_us for at_us, stream in healthy if books.runs.get(stage.before) == stream]
    stands = [] if stage.before in books.drifted else stands
    soaked = any(now_us - at_us >= demanded.soak_minutes * MINUTE for at_us in stands)
    must(soaked or not demanded.soak_minutes or "soak" in story.skipped, "it was not healthy for long enough")


def people(books: Books, story: Story) -> int:
    """How many must have agreed."""
    demanded = books.world.policies.stages[story.stage]
    needs = 0 if story.rollback else demanded.approvals
    needs = max(needs, 1) if story.glass else needs
    if not needs or authors_known(books, story):
        return needs
    must(demanded.unknown_author_needs >= 0, "its authors are not known")
    return needs + demanded.unknown_author_needs


def authors_known(books: Books, story: Story) -> bool:
    dark, running = books.world.dark, books.running(story.stage)
    listed = running is not None and story.release.commit in books.brought(story)
    return story.rollback or ("pull_requests" not in dark and ("commit" not in dark or listed))


def _counts(books: Books, story: Story, person: int, now_us: int) -> bool:
    word, demanded = story.words[person], books.world.policies.stages[story.stage]
    return (
        word.shown == books.shows(story)
        and word.at_us <= now_us <= word.at_us + demanded.approval_hours * HOUR
        and person not in books.work_of(story)
        and books.world.writes(person)
        and (story.stream, person) not in books.world.edited
    )


def needed(books: Books, story: Story) -> set[str]:
    """What must be known for this one, apart from what two people agreed to go past."""
    demanded, running = books.world.policies.stages[story.stage], books.running(story.stage)
    found = set(ALWAYS)
    if story.requester != RUN.id:
        found.add("permission")
    if running is not None:
        found.add("running")
    if people_wanted(books, story):
        found.add("standings")
    if story.rollback:
        return found | {"verified"}
    found |= {"config", "tag_digest"}
    if running is not None and running.commit != story.release.commit:
        found.add("range")
    if demanded.checks and "checks" not in story.skipped:
        found.add("checks")
    if story.stage.before is not None and "order" not in story.skipped:
        found.add("verified")
    return found


def people_wanted(books: Books, story: Story) -> bool:
    demanded = books.world.policies.stages[story.stage]
    return story.glass or (not story.rollback and demanded.approvals > 0)
