"""Deploy tokens for tests: what they say, and ones that are signed whatever they say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.domain.claims import DeployClaims
from bot.oidc.issue import SECOND
from bot.oidc.jws import compact
from bot.oidc.keys import LocalKey
from bot.oidc.rings import Rings
from tests.oidc.ground import ENVIRONMENT, OTHER, Time, encoded


def deploy(time: Time, **changes: Any) -> DeployClaims:
    """What a workflow's deploy token says, issued now for ten minutes."""
    now = time.us // SECOND * SECOND
    made = DeployClaims(
        jti="0123456789abcdef0123456789abcdef",
        application_id=OTHER,
        environment_id=ENVIRONMENT,
        repository_id=4711,
        commit="c0ffee" * 6 + "abcd",
        run_id=99,
        run_attempt=1,
        actor_id=1001,
        issued_us=now,
        expires_us=now + 600 * SECOND,
    )
    return replace(made, **changes)


def token_key(rings: Rings) -> LocalKey:
    key = rings.token.current
    assert isinstance(key, LocalKey)
    return key


def signed(key: LocalKey, head: dict[str, Any], body: dict[str, Any]) -> str:
    """A token that this key really signed, whatever header and claims say."""
    data = f"{encoded(head)}.{encoded(body)}".encode()
    return compact(key, data, key.sign_now(data))
