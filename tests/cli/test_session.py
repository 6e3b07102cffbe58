"""The file of who is signed in: for this person alone, whole or not there, and changed by one command at a time."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest

from bot.cli import session
from bot.cli.session import Session
from bot.errors import ConfigError, Transient

KEPT = Session(
    url="https://miso.example", access="misoa_" + "a" * 43, refresh="misor_" + "r" * 43, expires=1.5, subject="s"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "miso"


def test_what_is_kept_is_read_again_and_can_be_forgotten(folder: Path) -> None:
    assert session.read() is None
    session.write(KEPT)
    session.write(KEPT.model_copy(update={"expires": 2.5}))
    assert session.read() == KEPT.model_copy(update={"expires": 2.5})
    session.remove()
    session.remove()
    assert session.read() is None
    assert list(folder.iterdir()) == []


def test_nobody_else_may_read_it_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        session.write(KEPT)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / session.FILE).stat().st_mode) == 0o600


def test_it_stands_where_the_desktop_says_and_a_relative_place_is_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for relative in ("", "here", "../there"):
        monkeypatch.setenv("XDG_CONFIG_HOME", relative)
        assert session.place() == tmp_path / ".config" / "miso"


@pytest.mark.parametrize(("what", "mode"), [("", 0o750), ("", 0o707), (session.FILE, 0o640), (session.FILE, 0o604)])
def test_what_is_open_to_others_is_refused_with_what_to_do(folder: Path, what: str, mode: int) -> None:
    session.write(KEPT)
    (folder / what).chmod(mode)
    with pytest.raises(ConfigError, match="open to others: `chmod") as wrong:
        session.read()
    assert KEPT.access not in str(wrong.value)


def test_a_link_in_its_place_is_not_followed(folder: Path, tmp_path: Path) -> None:
    session.write(KEPT)
    (folder / session.FILE).rename(tmp_path / "elsewhere.json")
    (folder / session.FILE).symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ConfigError, match="no link"):
        session.read()
    session.write(KEPT)  # the link is replaced, and what it led to is not touched
    assert not (folder / session.FILE).is_symlink()


def test_a_folder_that_is_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "other")
    for use in (session.read, session.remove, lambda: session.write(KEPT)):
        with pytest.raises(ConfigError, match="no link"):
            use()
    assert list((tmp_path / "other").iterdir()) == []


def test_a_fifo_in_its_place_does_not_hang(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.mkfifo(folder / session.FILE, 0o600)
    with pytest.raises(ConfigError, match="not what it should be"):
        session.read()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": "http://elsewhere.example"}', "\x00", "x" * 100_000])
def test_something_else_in_it_is_said_and_never_shown(folder: Path, text: str) -> None:
    session.write(KEPT)
    (folder / session.FILE).write_text(text)
    with pytest.raises(ConfigError, match="not a session"):
        session.read()


def test_a_token_is_never_part_of_a_fault(folder: Path) -> None:
    session.write(KEPT)
    spoilt = {**json.loads((folder / session.FILE).read_text()), "expires": "soon"}
    (folder / session.FILE).write_text(json.dumps(spoilt))
    with pytest.raises(ConfigError) as wrong:
        session.read()
    assert "misoa_" not in repr(wrong.value)
    assert "misoa_" not in repr(KEPT)
    assert "misor_" not in repr(KEPT)


async def test_one_after_the_other(folder: Path) -> None:
    order: list[str] = []

    async def change(name: str) -> None:
        async with session.locked():
            order.append(name)
            await asyncio.sleep(0.01)
            order.append(name)

    await asyncio.gather(*(change(name) for name in "abc"))
    assert order[0::2] == order[1::2]
    assert stat.S_IMODE((folder / session.LOCK).stat().st_mode) == 0o600


async def test_one_that_does_not_end_is_not_waited_for_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOCK_SECONDS", 0.1)
    async with session.locked():
        with pytest.raises(Transient):
            async with session.locked():
                raise AssertionError("two at once")
