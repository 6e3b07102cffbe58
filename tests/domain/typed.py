"""Every command that a person may type, made up by hypothesis, for the tests of the grammar."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

from bot.domain.commands import LONGEST_LOCK_SECONDS, Command, CommandFault, Verb, parse
from bot.domain.model import Stage, Untrusted

SHA = "0123456789ab"
FULL = "0123456789abcdef0123456789abcdef01234567"

shas = st.text("0123456789abcdef", min_size=12, max_size=40)

words = st.lists(
    st.text(
        st.characters(exclude_categories=("C", "Z"), exclude_characters="/\\\u115f\u1160\u2800\u3164\uffa0"),
        min_size=1,
        max_size=12,
    ),
    min_size=1,
    max_size=8,
)
seen = words.filter(lambda some: any(unicodedata.category(c)[0] in "LNPS" for c in "".join(some)))
reasons = seen.map(lambda some: Untrusted(" ".join(some)))
plain = seen.map(lambda some: Untrusted(" ".join(["because", *some])))
"""Reasons whose first word is nothing else: neither a commit, nor a time, nor a flag."""
stages = st.sampled_from(Stage)
maybe = shas | st.just("")
none = st.just(Untrusted(""))
hashes = st.text("0123456789abcdef", min_size=12, max_size=64)
codes = st.text("BCDFGHJKLMNPQRSTVWXZ", min_size=12, max_size=12).map(lambda c: f"{c[:4]}-{c[4:8]}-{c[8:]}")
times = st.integers(0, LONGEST_LOCK_SECONDS // 60).map(lambda minutes: minutes * 60)
commands = st.one_of(
    st.builds(Command, verb=st.just(Verb.PROMOTE), stage=stages, sha=maybe),
    st.builds(Command, verb=st.just(Verb.PROMOTE), stage=stages, sha=maybe, break_glass=st.just(True), reason=plain),
    st.builds(Command, verb=st.just(Verb.ROLLBACK), stage=stages, sha=maybe),
    st.builds(Command, verb=st.just(Verb.WHY), stage=stages, sha=maybe),
    st.builds(Command, verb=st.just(Verb.APPROVE), sha=maybe),
    st.builds(Command, verb=st.just(Verb.CLEAR), sha=shas, reason=reasons),
    st.builds(Command, verb=st.just(Verb.REJECT), sha=shas, reason=reasons),
    st.builds(Command, verb=st.just(Verb.REJECT), reason=plain | none),
    st.builds(Command, verb=st.just(Verb.CANCEL), reason=reasons | none),
    st.builds(Command, verb=st.just(Verb.LOCK), stage=stages, seconds=times, reason=plain),
    st.builds(Command, verb=st.just(Verb.UNLOCK), stage=stages, reason=plain | none),
    st.builds(Command, verb=st.just(Verb.POLICY), word=st.sampled_from(["accept", "reject"]), hash=hashes),
    st.builds(Command, verb=st.just(Verb.LINK), code=codes),
    st.builds(Command, verb=st.sampled_from([Verb.REVOKE, Verb.POLICY, Verb.STATUS, Verb.HELP])),
)


def fault(body: str) -> CommandFault:
    found = parse(body)
    assert isinstance(found, CommandFault), found
    return found
