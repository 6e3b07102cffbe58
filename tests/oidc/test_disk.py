"""Keys on disk: made once, kept, closed to others, and never signing before their note says so."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bot.domain.key_life import State
from bot.errors import ConfigError
from bot.oidc import disk
from tests.oidc.ground import DAY, ISSUER, START, Time, pem, put, rings_in

FIRST = {
    "assertion.0001.pem",
    "assertion.0001.json",
    "token.0001.pem",
    "token.0001.json",
    "seal.0001.key",
    "seal.0001.json",
    "cookie.0001.key",
    "cookie.0001.json",
    "issuer.json",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def time() -> Time:
    return Time()


def names(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir()}


def modes(directory: Path) -> tuple[int, set[int]]:
    return directory.stat().st_mode & 0o777, {file.stat().st_mode & 0o777 for file in directory.iterdir()}


def private_lines(directory: Path) -> list[str]:
    """A line of each file with a private part."""
    pems = [file.read_text().splitlines()[1] for file in directory.glob("*.pem")]
    return pems + [file.read_text()[:20] for file in directory.glob("*.key")]


async def test_first_start_makes_closed_rings(directory: Path, time: Time) -> None:
    rings = await rings_in(directory, time)
    assert names(directory) == FIRST
    assert modes(directory) == (0o700, {0o600})
    assert [key["kid"] for key in rings.jwks()["keys"]] == [rings.assertion.current.kid, rings.token.current.kid]


async def test_restart_keeps_the_keys(directory: Path, time: Time) -> None:
    before = await rings_in(directory, time)
    time.us += DAY
    after = await rings_in(directory, time)
    assert before.jwks() == after.jwks()
    assert before.seal.current == after.seal.current
    assert before.cookie.current.secret == after.cookie.current.secret != after.seal.current.secret


async def test_a_key_for_another_sign_in_service_is_made_where_it_is_needed(directory: Path, time: Time) -> None:
    rings = await rings_in(directory, time, client=True)
    assert names(directory) == FIRST | {"client.0001.pem", "client.0001.json"}
    assert len(rings.jwks()["keys"]) == 3


async def test_looking_alone_makes_nothing(directory: Path, time: Time) -> None:
    rings = await rings_in(directory, time, make=False)
    assert names(directory) == set()
    with pytest.raises(ConfigError, match="no key"):
        _ = rings.assertion.current


def test_several_starting_at_once_get_the_same_keys(directory: Path) -> None:
    code = (
        "import asyncio, json, pathlib, sys, time; from bot.oidc.opening import open_rings;"
        f" rings = asyncio.run(open_rings(pathlib.Path(sys.argv[1]), issuer='{ISSUER}',"
        " now_us=lambda: time.time_ns() // 1000));"
        " print(json.dumps([rings.jwks(), rings.seal.current.kid, rings.cookie.current.kid]))"
    )
    command = [sys.executable, "-c", code, str(directory)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    told = [run.communicate(timeout=60)[0].splitlines()[-1] for run in runs]
    assert all(run.returncode == 0 for run in runs)
    assert len(set(told)) == 1
    assert names(directory) == FIRST


async def test_several_that_make_the_successor_at_once_get_the_same(directory: Path, time: Time) -> None:
    replicas = [await rings_in(directory, time) for _ in range(4)]
    time.us += 89 * DAY
    await asyncio.gather(*(each.tend() for each in replicas))
    time.us += DAY
    for each in replicas:
        await each.tend()
    assert len({each.assertion.current.kid for each in replicas}) == 1
    assert len({each.seal.current.secret for each in replicas}) == 1
    assert {name for name in names(directory) if name.startswith("assertion")} == {
        "assertion.0001.pem",
        "assertion.0001.json",
        "assertion.0002.pem",
        "assertion.0002.json",
    }


async def test_a_ring_from_before_notes_were_kept_works_on(directory: Path, time: Time) -> None:
    """Without a note a key was made at its file's time, and signs since."""
    old = put(directory, pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)), "assertion.0001.pem")
    os.utime(old, ns=((START - 5 * DAY) * 1000, (START - 5 * DAY) * 1000))
    rings = await rings_in(directory, time)
    [line] = rings.assertion.standing()
    assert (line.state, line.since_us, line.next_change_us) == (State.SIGNING, START - 5 * DAY, START + 85 * DAY)
    assert "assertion.0001.json" not in names(directory)
    time.us += 86 * DAY
    await rings.tend()
    assert [line.state for line in rings.assertion.standing()] == [State.SIGNING, State.PUBLISHED]


async def test_a_note_without_its_key_is_of_no_account(directory: Path, time: Time) -> None:
    """Who died between note and key leaves a note; the next key of that number gets its own."""
    put(directory, json.dumps({"made_us": 1, "signs_us": 1}).encode(), "assertion.0002.json")
    rings = await rings_in(directory, time)
    made = await rings.assertion.rotate()
    assert made.life.name == "0002"
    assert made.life.signs_us == START + DAY
    assert rings.assertion.current.kid != made.kid


@pytest.mark.parametrize("content", [b"", b"[]", b'{"made_us": "1", "signs_us": 1}', b'{"made_us": 1}', b"\xff"])
async def test_a_note_that_cannot_be_read_is_a_fault(directory: Path, time: Time, content: bytes) -> None:
    await rings_in(directory, time)
    put(directory, content, "token.0001.json")
    with pytest.raises(ConfigError, match="backup"):
        await rings_in(directory, time)


async def test_rule_17_the_private_parts_are_never_shown(directory: Path, time: Time) -> None:
    rings = await rings_in(directory, time, client=True)
    assert [set(key) for key in rings.jwks()["keys"]] == [
        {"kty", "n", "e", "kid", "use", "alg"},
        {"kty", "crv", "x", "y", "kid", "use", "alg"},
        {"kty", "n", "e", "kid", "use", "alg"},
    ]
    shown = "".join(repr((ring, ring.current, ring.standing())) for ring in rings.all)
    assert "rivate" not in shown
    lines = private_lines(directory)
    assert len(lines) == 5
    assert not [line for line in lines if line in shown]
    assert repr(rings.seal.current.secret) not in shown


@pytest.mark.parametrize("name", ["assertion.0001.pem", "token.0001.pem", "seal.0001.key", "token.0001.json"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
async def test_a_loose_file_is_refused(directory: Path, time: Time, name: str, mode: int) -> None:
    await rings_in(directory, time)
    (directory / name).chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        await rings_in(directory, time)


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777])
def test_a_loose_directory_is_refused(directory: Path, time: Time, mode: int) -> None:
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 700"):
        asyncio.run(rings_in(directory, time))
    assert names(directory) == set()


async def test_a_foreign_owner_is_refused(directory: Path, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    await rings_in(directory, time)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ConfigError, match="another user"):
        await rings_in(directory, time)


async def test_links_are_refused(directory: Path, time: Time, tmp_path: Path) -> None:
    await rings_in(directory, time)
    (tmp_path / "elsewhere").symlink_to(directory)
    with pytest.raises(ConfigError, match="links"):
        await rings_in(tmp_path / "elsewhere", time)
    (directory / "token.0001.pem").rename(directory / "real")
    (directory / "token.0001.pem").symlink_to(directory / "real")
    with pytest.raises(ConfigError):
        await rings_in(directory, time)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("assertion.0001.pem", b""),
        ("assertion.0001.pem", b"not a key"),
        ("assertion.0001.pem", pem(ec.generate_private_key(ec.SECP256R1()))),
        ("assertion.0001.pem", pem(rsa.generate_private_key(public_exponent=65537, key_size=1024))),
        ("token.0001.pem", pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))),
        ("token.0001.pem", pem(ec.generate_private_key(ec.SECP384R1()))),
        ("token.0001.pem", pem(ec.generate_private_key(ec.SECP256K1()))),
        ("client.0001.pem", pem(ec.generate_private_key(ec.SECP256R1()))),
        ("seal.0001.key", b""),
        ("seal.0001.key", b"c2hvcnQ="),
        ("cookie.0001.key", b"!" * 44),
    ],
)
async def test_what_is_no_such_key_is_refused_not_replaced(
    directory: Path, time: Time, name: str, content: bytes
) -> None:
    file = put(directory, content, name)
    with pytest.raises(ConfigError, match="holds no"):
        await rings_in(directory, time, client=True)
    assert file.read_bytes() == content


async def test_one_key_for_two_uses_is_refused(directory: Path, time: Time) -> None:
    """A copy of the key that speaks to Entra cannot become the one that speaks to somebody else."""
    await rings_in(directory, time)
    put(directory, (directory / "assertion.0001.pem").read_bytes(), "client.0001.pem")
    with pytest.raises(ConfigError, match="'assertion' and 'client'"):
        await rings_in(directory, time, client=True)


async def test_a_missing_parent_is_a_fault_of_configuration(tmp_path: Path, time: Time) -> None:
    with pytest.raises(ConfigError, match="cannot be read or made"):
        await rings_in(tmp_path / "none" / "keys", time)


async def test_a_key_is_parsed_once(directory: Path, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    rings = await rings_in(directory, time)
    monkeypatch.setattr(disk.Pem, "read", lambda *_: pytest.fail("parsed again"))
    time.us += DAY
    await rings.tend()
    assert rings.assertion.standing()
