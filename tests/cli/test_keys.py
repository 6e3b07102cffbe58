"""`miso keys` beside a running controller: the list, a new key by hand, one that leaked, another address."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Desk


async def listed(desk: Desk, use: str = "") -> list[dict[str, Any]]:
    done = await desk.miso("keys", "list", "--json")
    assert done.exit_code == 0, done.output
    return [line for line in json.loads(done.stdout) if use in ("", line["use"])]


def published(desk: Desk) -> set[str]:
    return {key["kid"] for key in desk.running.miso.oidc.jwks()["keys"]}


async def noticed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute passes for the running controller's keys."""
    monkeypatch.setattr("bot.oidc.rings.LOOK_EVERY_US", 0)
    await desk.running.miso.oidc.tend()


async def test_the_list_tells_use_key_state_and_what_follows(desk: Desk) -> None:
    lines = await listed(desk)
    assert [(line["use"], line["state"]) for line in lines] == [
        ("assertion", "signing"),
        ("token", "signing"),
        ("seal", "signing"),
        ("cookie", "signing"),
    ]
    assert set(lines[0]) == {"use", "key", "state", "since", "next_change"}
    assert {line["key"] for line in lines[:2]} == published(desk)
    shown = (await desk.miso("keys", "list")).output
    assert all(word in shown for word in ("next change", "replaced 20", lines[0]["key"]))


async def test_a_new_key_is_published_and_signs_a_day_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = published(desk)
    done = await desk.miso("keys", "rotate", "token")
    assert done.exit_code == 0, done.output
    assert "signs from 20" in done.output
    old, new = await listed(desk, "token")
    assert (old["state"], new["state"]) == ("signing", "published")
    assert old["next_change"] == new["next_change"]
    await noticed(desk, monkeypatch)
    assert published(desk) == before | {new["key"]}
    assert len(await listed(desk)) == 5


async def test_every_use_is_rotated_where_none_is_named(desk: Desk) -> None:
    done = await desk.miso("keys", "rotate")
    assert done.exit_code == 0, done.output
    assert len(await listed(desk)) == 8


async def test_a_leaked_key_is_replaced_now_and_then_withdrawn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    [leaked] = await listed(desk, "token")
    refused = await desk.miso("keys", "withdraw", "token", leaked["key"])
    assert refused.exit_code == 2
    assert "miso keys rotate token --now" in refused.output
    done = await desk.miso("keys", "rotate", "token", "--now")
    assert done.exit_code == 0, done.output
    assert "signs now" in done.output
    assert "Entra may do so for hours" in done.output.replace("\n", " ")
    assert (await desk.miso("keys", "withdraw", "token", leaked["key"])).exit_code == 0
    await noticed(desk, monkeypatch)
    assert leaked["key"] not in published(desk)
    states = {line["key"]: line["state"] for line in await listed(desk, "token")}
    assert states[leaked["key"]] == "withdrawn"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("withdraw", "token", "nobody"), "no key for 'token'"),
        (("rotate", "client"), "MISO_SIGN_IN"),
        (("rotate", "everything"), "Invalid value"),
    ],
)
async def test_what_is_not_there_is_told(desk: Desk, command: tuple[str, ...], told: str) -> None:
    done = await desk.miso("keys", *command)
    assert done.exit_code == 2
    assert told in done.output


async def test_looking_makes_no_keys(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("MISO_DATA_DIR", str(tmp_path / "elsewhere"))
    done = await desk.miso("keys", "list")
    assert done.exit_code == 2
    assert "there are no keys" in done.output
    assert not (tmp_path / "elsewhere" / "keys").exists()


async def test_another_address_is_refused_until_azure_was_prepared_and_it_was_said(
    registered: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nothing to change" in (await registered.miso("keys", "migrate")).output
    monkeypatch.setenv("MISO_PUBLIC_URL", "https://new.example")
    refused = await registered.miso("status")
    assert refused.exit_code == 2
    assert "miso keys migrate" in refused.output
    told = await registered.miso("keys", "migrate")
    assert told.exit_code == 0, told.output
    assert "Nothing was changed" in told.output
    store = registered.running.miso.store
    for environment in await store.environments():
        assert f"https://new.example  miso:env:{environment.id}  api://AzureADTokenExchange" in told.output
    assert "miso:workflow" not in told.output
    assert (await registered.miso("status")).exit_code == 2, "still"
    monkeypatch.setenv("MISO_WORKFLOW_ASSERTIONS", "true")
    done = await registered.miso("keys", "migrate", "--yes")
    assert done.exit_code == 0, done.output
    assert done.output.count("miso:workflow:") == 2, "never for production"
    assert (await registered.miso("status")).exit_code == 0
    monkeypatch.setenv("MISO_PUBLIC_URL", registered.settings["MISO_PUBLIC_URL"])
    assert (await registered.miso("status")).exit_code == 2, "and back only in the same way"
