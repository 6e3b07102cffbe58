"""Rings in a running controller: rotation by policy and by hand, noticed by others, without a token that fails."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jwt
import pytest

from bot.domain.key_life import State
from bot.errors import ConfigError, Refused
from bot.oidc.issue import Issuer
from tests.oidc.ground import DAY, ENVIRONMENT, HOUR, ISSUER, MINUTE, START, Time, header, issuer_in, put, rings_in
from tests.oidc.tokens import deploy


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def files(directory: Path, pattern: str) -> set[str]:
    return {file.name for file in directory.glob(pattern)}


def kids(issuer: Issuer) -> list[str]:
    return [key["kid"] for key in issuer.jwks()["keys"]]


def verified(token: str, jwks: dict[str, jwt.PyJWK]) -> bool:
    """As a verifier with a copy of our keys would."""
    key = jwks.get(header(token)["kid"])
    if key is None:
        return False
    options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
    jwt.decode(token, key, algorithms=[str(key.algorithm_name)], options=options)  # type: ignore[arg-type]  # a TypedDict
    return True


def copy_of(issuer: Issuer) -> dict[str, jwt.PyJWK]:
    return {key["kid"]: jwt.PyJWK(key) for key in json.loads(json.dumps(issuer.jwks()))["keys"]}


async def test_rotation_by_policy_fails_no_token_anywhere(directory: Path, time: Time) -> None:
    """Two replicas; a verifier looks at our keys once a day; every token is good until its last second."""
    one, two = [await issuer_in(directory, time, key_days=30) for _ in range(2)]
    known, looked = copy_of(one), time.us
    valid: list[tuple[str, Issuer]] = []
    seen: set[str] = set()
    for _ in range(125 * 2):
        for issuer in (one, two):
            await issuer.tend()
            if time.us - looked >= DAY:
                known, looked = copy_of(issuer), time.us
            assertion, token = issuer.assertion(ENVIRONMENT), await issuer.issue(deploy(time))
            assert verified(assertion, known), "Entra has not seen this key yet"
            for other in (one, two):
                assert other.read_own(token).deploy.environment_id == ENVIRONMENT
            for earlier, _ in valid:
                assert verified(earlier, copy_of(issuer)), "still valid, and its key is published nowhere"
            seen |= {header(assertion)["kid"], header(token)["kid"]}
            valid = [(assertion, issuer), (token, issuer)]
        time.us += 12 * HOUR - 1
    assert len(seen) == 2 * 5, "changed four times"
    assert len(kids(one)) == 2, "those before are gone"
    assert files(directory, "*.pem") == {"assertion.0005.pem", "token.0005.pem"}


async def test_a_key_of_another_process_is_noticed_within_a_minute(directory: Path, time: Time) -> None:
    serving = await issuer_in(directory, time)
    operator = await rings_in(directory, time)
    made = await operator.token.rotate()
    assert made.state is State.PUBLISHED
    time.us += MINUTE - 1
    await serving.tend()
    assert made.kid not in kids(serving)
    time.us += 1
    await serving.tend()
    assert made.kid in kids(serving)
    before = header(await serving.issue(deploy(time)))["kid"]
    time.us = made.life.signs_us
    assert header(await serving.issue(deploy(time)))["kid"] == made.kid != before


async def test_rotation_by_hand_leaves_a_waiting_successor_as_it_is(directory: Path, time: Time) -> None:
    rings = await rings_in(directory, time)
    made = await rings.assertion.rotate()
    time.us += HOUR
    again = await rings.assertion.rotate()
    assert again.life == made.life
    assert len(rings.assertion.standing()) == 2


async def test_in_an_emergency_the_waiting_successor_signs_at_once(directory: Path, time: Time) -> None:
    rings = await rings_in(directory, time)
    waiting = await rings.token.rotate()
    time.us += HOUR
    made = await rings.token.rotate(at_once=True)
    assert made.kid == waiting.kid == rings.token.current.kid
    assert made.state is State.SIGNING
    assert len(rings.token.standing()) == 2


async def test_in_an_emergency_a_new_key_signs_at_once_and_the_old_one_is_believed_no_more(
    directory: Path, time: Time
) -> None:
    rings = await rings_in(directory, time)
    issuer = Issuer(ISSUER, rings, time.now_us)
    stolen = await issuer.issue(deploy(time))
    assertion = issuer.assertion(ENVIRONMENT)
    leaked = rings.token.current.kid
    made = await rings.token.rotate(at_once=True)
    await rings.assertion.rotate(at_once=True)
    assert made.state is State.SIGNING
    assert issuer.read_own(stolen), "those that are under way still count"
    gone = await rings.token.withdraw(leaked)
    assert gone.state is State.WITHDRAWN
    assert leaked not in kids(issuer)
    with pytest.raises(Refused):
        issuer.read_own(stolen)
    assert issuer.read_own(await issuer.issue(deploy(time)))
    assert header(issuer.assertion(ENVIRONMENT))["kid"] != header(assertion)["kid"], "nor is one kept that it signed"
    time.us += 3 * DAY
    await rings.tend()
    assert leaked not in {line.kid for line in rings.token.standing()}
    assert files(directory, "token.*") == {"token.0002.pem", "token.0002.json"}


async def test_the_key_that_signs_cannot_be_withdrawn(directory: Path, time: Time) -> None:
    rings = await rings_in(directory, time)
    with pytest.raises(ConfigError, match="rotate token --now"):
        await rings.token.withdraw(rings.token.current.kid)
    with pytest.raises(ConfigError, match="no key"):
        await rings.token.withdraw(rings.assertion.current.kid)


async def test_without_its_directory_a_running_controller_goes_on_with_what_it_knows(
    directory: Path, time: Time, tmp_path: Path
) -> None:
    issuer = await issuer_in(directory, time)
    before = kids(issuer)
    os.rename(directory, tmp_path / "away")
    put(tmp_path, b"in the way", directory.name)
    time.us += 89 * DAY + MINUTE
    await issuer.tend()
    assert kids(issuer) == before
    assert issuer.read_own(await issuer.issue(deploy(time)))
    os.unlink(directory)
    os.rename(tmp_path / "away", directory)
    time.us += MINUTE
    await issuer.tend()
    assert len(kids(issuer)) == 4, "and takes it up again"


async def test_a_running_controller_does_not_forget_keys_that_are_gone(directory: Path, time: Time) -> None:
    """And makes none in their place: the next start would be the first to publish it."""
    issuer = await issuer_in(directory, time)
    token, before = await issuer.issue(deploy(time)), kids(issuer)
    for name in files(directory, "*.pem"):
        os.unlink(directory / name)
    time.us += MINUTE
    await issuer.tend()
    assert kids(issuer) == before
    assert issuer.read_own(token)
    assert files(directory, "*.pem") == set()


async def test_what_is_sealed_for_a_week_can_be_opened_for_a_week(directory: Path, time: Time) -> None:
    """Longer than the keys that sign are kept."""
    rings = await rings_in(directory, time, keep_hours=2)
    sealed = rings.seal.current
    await rings.seal.rotate(at_once=True)
    time.us += 8 * DAY
    await rings.tend()
    assert rings.seal.find(sealed.kid) == sealed
    await rings.seal.rotate()
    present = rings.seal.current
    assert len(rings.sealing()) == 3
    assert rings.sealing()[-1] == (present.kid, present.secret), "the one that seals is the last"
    time.us += 2 * DAY
    assert rings.seal.find(sealed.kid) is None
    await rings.tend()
    assert files(directory, "seal.*") == {"seal.0002.key", "seal.0002.json", "seal.0003.key", "seal.0003.json"}


async def test_stamps_are_for_one_purpose_and_outlive_a_rotation(directory: Path, time: Time) -> None:
    rings = await rings_in(directory, time)
    issuer = Issuer(ISSUER, rings, time.now_us)
    stamp = issuer.stamp("form", "session 1")
    await rings.cookie.rotate(at_once=True)
    assert issuer.stamped("form", "session 1", stamp)
    assert issuer.stamp("form", "session 1") != stamp
    for purpose, text, other in [
        ("form", "session 2", stamp),
        ("forms", "ession 1", stamp),
        ("cookie", "session 1", stamp),
        ("form", "session 1", stamp[:-1]),
        ("form", "session 1", stamp + "0"),
        ("form", "session 1", stamp.partition(".")[2]),
        ("form", "session 1", ""),
        ("form", "session 1", "."),
        ("form", "session 1", f"{rings.cookie.current.kid}.é"),
    ]:
        assert not issuer.stamped(purpose, text, other)


async def test_times_of_a_listing_are_those_of_a_life(directory: Path, time: Time) -> None:
    rings = await rings_in(directory, time)
    await rings.assertion.rotate()
    time.us += DAY + 1
    first, second = rings.assertion.standing()
    assert (first.state, first.since_us, first.next_change_us) == (State.RETIRED, START + DAY, START + 3 * DAY)
    assert (second.state, second.since_us, second.next_change_us) == (State.SIGNING, START + DAY, START + 91 * DAY)
