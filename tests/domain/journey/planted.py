"""Faults to be planted in the rules, one at a time: the machine must find each, or it proves nothing.

Every entry is what somebody might break in good faith: a rule left out, a comparison turned, a row not taken note of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from bot.domain import (
    arrivals,
    authors,
    closures,
    conditions,
    consent,
    demands,
    environment_story,
    environments,
    evidence,
    policy,
    promotion,
    release_story,
)
from bot.domain.conditions import passed
from bot.domain.decision import Verdict
from bot.domain.model import Status
from bot.domain.promotion import Kind

Plant = Callable[[pytest.MonkeyPatch], None]


def _blind(module: Any, name: str, rule: str) -> Plant:
    """A rule that passes whatever it is shown."""
    return lambda patch: patch.setattr(module, name, lambda *_, **__: passed(rule))


def _deaf(kind: Kind) -> Plant:
    """A row of a promotion that is not taken note of."""
    return lambda patch: patch.setitem(promotion._APPLY, kind, lambda state, _: state)


def _unknown_passes(patch: pytest.MonkeyPatch) -> None:
    for module in (conditions, closures, demands, consent, arrivals):
        patch.setattr(module, "unknown", lambda rule, *_, **__: passed(rule))


def _everybody_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy, "authors_of", lambda *_: authors.Authors(ids=(), known=True))
    patch.setattr(consent, "second_person", lambda *_: passed("second_person"))


def _old_words_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(consent, "_fresh", lambda *_: True)


def _rights_are_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(consent, "person_may", lambda rule, *_, **__: passed(rule))


def _anything_may_be_skipped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy, "SKIPPABLE", frozenset({*policy.SKIPPABLE, "holds", "fence", "approvals"}))


def _part_not_bound(part: str) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        real = evidence.parts
        patch.setattr(evidence, "parts", lambda *a, **k: {**real(*a, **k), part: "whatever"})

    return plant


def _glass_needs_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy, "needed", lambda asked, _, rules: 0 if asked.break_glass else rules.approvals)


def _holds_are_by_stream_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(environments, "_left", lambda *_: ())


def _one_operator_is_enough(patch: pytest.MonkeyPatch) -> None:
    real = release_story.ReleaseStory.fresh
    patch.setattr(release_story.ReleaseStory, "fresh", lambda self, now: real(self, now) * 2)


def _words_outlive_a_ban(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(release_story, "CLEAR_HOURS", 24 * 365)


def _what_ended_goes_on(patch: pytest.MonkeyPatch) -> None:
    real = promotion.next_action

    def action(now: promotion.Promotion, lease_over: bool) -> promotion.Action | None:
        over = now.status in (Status.REJECTED, Status.SUPERSEDED, Status.CANCELLED)
        return real(replace(now, status=Status.APPROVED) if over else now, lease_over)

    patch.setattr(promotion, "next_action", action)
    patch.setattr("tests.domain.journey.working.next_action", action)
    patch.setattr("tests.domain.journey.working.OPEN", tuple(Status))


def _nobody_is_busy(patch: pytest.MonkeyPatch) -> None:
    real = environments._after
    patch.setattr(environments, "_after", lambda *given: replace(real(*given), busy=""))


def _locks_are_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(environment_story, "_after", lambda state, _: state)


def _refusal_is_a_wish(patch: pytest.MonkeyPatch) -> None:
    real = policy.judge

    def judge(results: Any, **given: Any) -> Any:
        found = real(results, **given)
        failed = [r for r in found.rules if not r.passed and r.rule != "approvals"]
        return replace(found, verdict=Verdict.ALLOW) if found.refused and not failed else found

    patch.setattr(policy, "judge", judge)


PLANTED: Mapping[str, Plant] = {
    "holds and bans are not looked at": _blind(closures, "not_held", "holds"),
    "older commits pass": _blind(conditions, "not_older", "fence"),
    "a freeze is not looked at": _blind(closures, "not_frozen", "freeze"),
    "a lock is not looked at": _blind(closures, "not_locked", "lock"),
    "a lock is not remembered": _locks_are_lost,
    "a stage may be left out": _blind(conditions, "verified_before", "order"),
    "a rollback goes anywhere": _blind(conditions, "verified_here", "target"),
    "checks are not looked at": _blind(demands, "checks_succeeded", "checks"),
    "soak is not looked at": _blind(demands, "soaked", "soak"),
    "an image may be gone": _blind(conditions, "image_exists", "image"),
    "approvals are not counted": _blind(consent, "approvals_hold", "approvals"),
    "approvals are a wish": _refusal_is_a_wish,
    "approvals never run out": _old_words_count,
    "rights are for ever": _rights_are_for_ever,
    "whoever asked may have lost the right": _blind(conditions, "requester_may", "requester"),
    "everybody's yes counts": _everybody_counts,
    "evidence may change": _blind(consent, "evidence_unchanged", "evidence"),
    "the policy may change": _blind(consent, "policy_unchanged", "policy"),
    "checks are not bound": _part_not_bound("checks"),
    "commits are not bound": _part_not_bound("commits"),
    "soak is not bound": _part_not_bound("soak"),
    "break-glass needs nobody": _glass_needs_nobody,
    "break-glass has no end": _blind(closures, "glass_in_time", "break_glass"),
    "break-glass goes past everything": _anything_may_be_skipped,
    "break-glass goes past more than was agreed to": _blind(closures, "nothing_more_is_skipped", "break_glass"),
    "what is not known passes": _unknown_passes,
    "a yes cannot be taken back": _deaf(Kind.REVOKED),
    "an edited yes still counts": _deaf(Kind.VOIDED),
    "a no is not heard": _deaf(Kind.REJECTED),
    "a newer request does not end an older one": _deaf(Kind.SUPERSEDED),
    "what ended goes on": _what_ended_goes_on,
    "two may work in one place": _nobody_is_busy,
    "what was gone back from is not held": _holds_are_by_stream_only,
    "one operator is enough": _one_operator_is_enough,
    "an operator's word has no end": _words_outlive_a_ban,
}
