"""A small world in which promotions to production are asked for, agreed to, stopped and begun, with books of its own.

It plays the verbs over the real decisions and the real fold, and beside them keeps account of what happened in plain
sets and numbers. `begun` holds the two against each other: what the decision let begin must be right by the books.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from bot.domain import environments, evidence, plan, policy
from bot.domain.decision import Asked, Facts, Standing
from bot.domain.model import (
    Actor,
    Ban,
    CheckSeen,
    Environment,
    EnvironmentState,
    Lock,
    NewRow,
    Permission,
    Row,
    Status,
    Untrusted,
)
from bot.domain.promotion import VERSION, Kind, Promotion, Request, fold, next_action, request_as_body
from bot.domain.rules import Policy, PolicySet
from bot.services.journal import as_row
from tests.domain import given
from tests.domain.books import (
    ASIDE,
    CHECK,
    FROZEN,
    LINE,
    NEEDLESS_FOR_A_ROLLBACK,
    PEOPLE,
    Books,
    Word,
    range_of,
    release_of,
)
from tests.domain.given import APPLICATION, AUTHOR, HOUR, NOW, PRODUCTION, TEST


@dataclass
class World:
    """Everything that decisions look at, and the books."""

    now_us: int = NOW
    approvals: int = 1
    frozen: bool = False
    locked_by: int = 0
    check: tuple[int, str] = (1, "success")
    cpu: float = 1.0
    running: str = LINE[0]
    verified_here: set[str] = field(default_factory=lambda: {LINE[0]})
    verified_before: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*LINE, ASIDE), NOW - 48 * HOUR))
    banned: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    unknown: str = ""
    without_right: set[int] = field(default_factory=set)
    streams: dict[str, list[Row]] = field(default_factory=dict)
    books: dict[str, Books] = field(default_factory=dict)
    state: EnvironmentState = field(
        default_factory=lambda: EnvironmentState(
            environment_id=PRODUCTION.id, version=1, running="s0", last_verified="s0"
        )
    )

    # --- how it stands -----------------------------------------------------------------------------------------------

    @property
    def policy(self) -> Policy:
        freezes = (FROZEN,) if self.frozen else ()
        return Policy(approvals=self.approvals, approval_hours=24, freezes=freezes, checks=(CHECK,), soak_minutes=60)

    @property
    def place(self) -> Environment:
        return replace(PRODUCTION, settings=(("CPU", str(self.cpu)),))

    def stands(self, commit: str) -> tuple[Any, ...]:
        """What an approver of this commit would be shown, as an observer sees it. A freeze is part of the policy."""
        return (
            commit,
            self.cpu,
            self.check,
            self.running,
            self.verified_before.get(commit),
            self.approvals,
            self.frozen,
        )

    def load(self, stream: str) -> Promotion:
        return fold(self.streams[stream])

    def asked(self, stream: str) -> Asked:
        book = self.books[stream]
        return Asked(
            requester=next(p for p in PEOPLE if p.id == book.requester),
            application=APPLICATION,
            environment=self.place,
            release=release_of(book.commit),
            rollback=book.rollback,
            break_glass="it burns" if book.break_glass else "",
            stream=stream,
        )

    def facts(self, commit: str, requester: int) -> Facts:
        """What the verbs would gather, without what is not known just now."""
        made = given.facts(self.place)
        lock = Lock(owner=_person(self.locked_by), reason=Untrusted("mine"), since_us=0, until_us=0)
        test = EnvironmentState(environment_id=TEST.id, version=2, running=f"t-{commit}", last_verified=f"t-{commit}")
        here = replace(self.state, lock=lock if self.locked_by else None)
        verified = (
            [
                given.promoted(
                    TEST,
                    stream=f"t-{commit}",
                    commit=commit,
                    digest=release_of(commit).digest,
                    verified_us=self.verified_before[commit],
                )
            ]
            if commit in self.verified_before
            else []
        )
        if commit in self.verified_here:
            verified.append(given.promoted(PRODUCTION, stream=f"h-{commit}", commit=commit,
                                           digest=release_of(commit).digest))  # fmt: skip
        ban = Ban(commit=commit, digest=release_of(commit).digest, reason=Untrusted("bad"), by=PEOPLE[1], since_us=1)
        made = replace(
            made,
            states={**(made.states or {}), TEST.id: test, PRODUCTION.id: here},
            verified=tuple(verified),
            running=release_of(self.running),
            running_plan=plan.build(self.place, release_of(self.running), controller=given.RULES.controller),
            plan=plan.build(self.place, release_of(commit), controller=given.RULES.controller),
            tag_digest=release_of(commit).digest,
            range=range_of(self.running, commit),
            commit=given.commit(commit),
            pull_requests={each: (given.pull_request(each),) for each in (*LINE, ASIDE)},
            bans=(ban,) if commit in self.banned else (),
            checks=(CheckSeen(id=self.check[0], name=CHECK.name, app_id=CHECK.app_id, status="completed",
                              conclusion=self.check[1]),),
            permission=_right(requester, requester not in self.without_right),
        )  # fmt: skip
        unknown: Any = {self.unknown: None} if self.unknown else {}
        return replace(made, **unknown)

    # --- what people do ----------------------------------------------------------------------------------------------

    def ask(self, commit: str, requester: int, *, rollback: bool = False, break_glass: bool = False) -> str:
        """A request. Gives its stream; "" when it was refused."""
        stream = f"promotion-{len(self.books)}"
        book = Books(commit=commit, requester=requester, rollback=rollback, break_glass=break_glass)
        self.books[stream] = book
        asked, facts = self.asked(stream), self.facts(commit, requester)
        decision = policy.decide(asked, facts, self.policy, given.RULES, self.now_us, PolicySet())
        book.skipped = frozenset(rule.rule for rule in decision.skipped)
        parts = policy.evidence_of(asked, facts, self.policy, given.RULES, tuple(sorted(book.skipped)))
        if decision.refused or parts is None or facts.plan is None:
            del self.books[stream]
            return ""
        made = replace(
            given.request(self.place),
            rollback=rollback,
            release=release_of(commit),
            requester=asked.requester,
            plan=facts.plan,
            policy_hash=policy.policy_hash(self.policy, given.RULES),
            policy=self.policy,
            evidence=parts,
            evidence_hash=evidence.hash_of(parts),
            approvals_needed=decision.approvals_needed,
            excluded=decision.excluded,
            break_glass=asked.break_glass,
            skipped=tuple(sorted(book.skipped)),
            previous=release_of(self.running),
            previous_plan=facts.running_plan,
        )
        self.streams[stream] = []
        self._write(stream, Kind.REQUESTED, asked.requester, request_as_body(made), v=VERSION)
        return stream

    def approve(self, stream: str, person: int) -> bool:
        book, now = self.books[stream], self.load(stream)
        decision = policy.decide_approval(
            now,
            _person(person),
            self._standing(person),
            request=self.asked(stream),
            facts=self.facts(book.commit, book.requester),
            policy=self.policy,
            rules=given.RULES,
            now_us=self.now_us,
            standings={each.id: self._standing(each.id) for each in PEOPLE},
        )
        if not decision.allowed:
            return False
        self._write(stream, Kind.APPROVED, _person(person), {"evidence": now.request.evidence_hash})
        book.words.append(Word(person=person, at_us=self.now_us, stood=self.stands(book.commit)))
        return True

    def revoke(self, stream: str, person: int) -> None:
        if any(a.actor.id == person for a in self.load(stream).approvals):
            self._write(stream, Kind.REVOKED, _person(person), {})
            self.books[stream].words = [w for w in self.books[stream].words if w.person != person]

    def stop(self, stream: str, kind: Kind) -> None:
        if self.load(stream).status in (Status.REQUESTED, Status.APPROVED):
            self._write(stream, kind, PEOPLE[1], {"reason": "no"})
            self.books[stream].stopped = True

    # --- what begins -------------------------------------------------------------------------------------------------

    def begin(self, stream: str) -> bool:
        """The moment before the first effect. Answers whether it began; the books are asked then."""
        book, now = self.books[stream], self.load(stream)
        if next_action(now, lease_over=True) is None or now.status not in (Status.REQUESTED, Status.APPROVED):
            return False
        decision = policy.decide_effect(
            now,
            self.asked(stream),
            self.facts(book.commit, book.requester),
            self.policy,
            given.RULES,
            self.now_us,
            standings={each.id: self._standing(each.id) for each in PEOPLE},
        )
        if not decision.allowed:
            return False
        self.begun(stream)
        book.began += 1
        self._write(stream, Kind.DEPLOY_STARTED, PEOPLE[0], {"attempt": 1}, epoch=book.began)
        self._write(stream, Kind.DEPLOY_DONE, PEOPLE[0], {"digest": release_of(book.commit).digest})
        return True

    def end(self, stream: str, healthy: bool) -> None:
        """What became of it, in the journal and in the books."""
        book, before = self.books[stream], self.running
        if healthy:
            self._write(stream, Kind.PROBE_PASSED, PEOPLE[0], {"evidence": "http"})
            self.running = book.commit
            self.verified_here.add(book.commit)
            if book.rollback:
                self.held.add(before)
            return
        self._write(stream, Kind.PROBE_FAILED, PEOPLE[0], {"code": "probe_unhealthy"})
        self._write(stream, Kind.ROLLBACK_STARTED, PEOPLE[0], {"attempt": 1})
        self._write(stream, Kind.ROLLBACK_DONE, PEOPLE[0], {})
        self.held.add(book.commit)

    def begun(self, stream: str) -> None:
        """By the books alone: might this begin now?"""
        book = self.books[stream]
        request: Request = self.load(stream).request
        assert book.began == 0, "it began twice"
        assert not book.stopped, "a person had stopped it"
        assert request.release == release_of(book.commit), "another digest than was asked for"
        assert not self.unknown or self._needless(book), f"{self.unknown} was not known"
        assert book.commit not in self.banned, "it is banned"
        assert book.commit not in self.held, "it is held"
        assert book.requester not in self.without_right, "its requester may not ask any more"
        assert not self.locked_by or self.locked_by == book.requester or "lock" in book.skipped, "it is locked"
        if book.rollback:
            assert book.commit in self.verified_here, "it was never healthy here"
            return
        assert not self.frozen or "freeze" in book.skipped, "it is frozen"
        assert range_of(self.running, book.commit).status == "ahead", "what runs is not older"
        assert book.commit in self.verified_before or "order" in book.skipped, "it skipped a stage"
        assert self.check[1] == "success" or "checks" in book.skipped, "a check had failed"
        assert not book.skipped or book.break_glass
        self._agreed(book)

    def _needless(self, book: Books) -> bool:
        """Whether nothing turns on what is not known: for a rollback, or because two people went past it."""
        gone_past = {"checks": "checks", "verified": "order"}.get(self.unknown, "")
        return (book.rollback and self.unknown in NEEDLESS_FOR_A_ROLLBACK) or gone_past in book.skipped

    def _agreed(self, book: Books) -> None:
        stands = self.stands(book.commit)
        counting = {
            word.person
            for word in book.words
            if word.stood == stands
            and self.now_us - word.at_us <= 24 * HOUR
            and word.person not in (book.requester, AUTHOR.id, given.MERGER.id)
            and word.person not in self.without_right
        }
        needs = max(self.approvals, 1) if book.break_glass else self.approvals
        assert len(counting) >= needs, f"{len(counting)} of {needs} agreed to this"

    # --- small things ------------------------------------------------------------------------------------------------

    def _standing(self, person: int) -> Standing:
        return Standing(permission=_right(person, person not in self.without_right))

    def _write(
        self, stream: str, kind: Kind, actor: Actor, body: dict[str, Any], *, v: int = 1, epoch: int = 0
    ) -> None:
        new = NewRow(kind=kind, actor=actor, application_id=APPLICATION.id, environment_id=PRODUCTION.id, body=body,
                     v=v, epoch=epoch)  # fmt: skip
        rows = self.streams[stream]
        rows.append(as_row(new, stream, len(rows) + 1, self.now_us))
        self.state = environments.apply(self.state, rows[-1], fold(rows)) or self.state


def _person(number: int) -> Actor:
    return next((p for p in PEOPLE if p.id == number), PEOPLE[0])


def _right(number: int, may: bool) -> Permission:
    return Permission(user_id=number, role_name="write" if may else "read", permission="write" if may else "read")
