"""A token in somebody's text is neither shown nor kept, and the words around it stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.commands import Command, parse
from bot.domain.messages import bare, plain, quote, vouched
from bot.domain.stray_tokens import HIDDEN, without_tokens

BODY = "aB3dE6gH9" * 6
TOKENS = {
    "installation": f"ghs_{BODY}",
    "stateless": f"ghs_4242_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiI0MjQyIn0.{BODY}",
    "personal": f"ghp_{BODY}",
    "fine-grained": f"github_pat_{BODY}",
    "JWT": f"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiI0MjQyIn0.{BODY}",
    "access": f"misoa_{BODY[:43]}",
    "refresh": f"misor_{BODY[:43]}",
    "key": f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_rule_17_a_token_in_a_text_is_hidden_and_the_words_around_it_stay(token: str) -> None:
    told = without_tokens(f"it leaked: {token} and that is bad")
    assert told.startswith("it leaked: ")
    assert told.endswith(" and that is bad")
    assert HIDDEN in told
    assert BODY[-20:] not in told


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_rule_17_no_way_of_showing_a_text_shows_a_token_in_it(token: str) -> None:
    for shown in (
        plain(token),
        quote(f"`{token}|"),
        bare(f"**{token}**"),
        vouched(f"It said {token}."),
        plain(token, 60),
    ):
        assert BODY[:12] not in shown


@pytest.mark.parametrize("token", [token for token in TOKENS.values() if "\n" not in token])
def test_rule_17_a_token_in_a_reason_is_not_kept(token: str) -> None:
    said = parse(f"/lock dev because {token} leaked")
    assert isinstance(said, Command)
    assert BODY[:12] not in said.reason
    assert said.reason.endswith(" leaked")
    assert parse(str(said)) == said


@given(st.text(max_size=80))
def test_what_is_no_token_stays_as_it_is(text: str) -> None:
    assert without_tokens(text) == text
    assert (
        without_tokens(f"ghs_{text[:8]} eyJ misoa_ sha256:{'ab' * 32}")
        == f"ghs_{text[:8]} eyJ misoa_ sha256:{'ab' * 32}"
    )
