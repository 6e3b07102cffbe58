"""Who may know whom, and who may do what: the import contracts, each broken once, and what they cannot see.

The contracts of `pyproject.toml` are import-linter's; each is broken in a copy of the tree and must be named.
Calls are read off the syntax trees: only one place changes Azure, one writes to GitHub, one decides.
"""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bot import context
from tests.sources import ROOT, Call, calls, imports, modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINTER = PROJECT["tool"]["importlinter"]
CONTRACTS = {contract["name"]: contract for contract in LINTER["contracts"]}

BREAKS = [
    ("floors", "bot/errors.py", "import bot.domain.codes"),
    ("floors", "bot/settings/forms.py", "import bot.store"),
    ("floors", "bot/azure/window.py", "def _lazily() -> None:\n    import bot.github.client"),
    ("floors", "bot/store/sqlite.py", "import bot.context"),
    ("floors", "bot/web/webhook.py", "import bot.worker"),
    ("floors", "handlers/workflow_run.py", "import bot.web.webhook"),
    ("floors", "bot/services/releases.py", "import bot.worker"),
    (
        "the hall knows no window",
        "bot/context.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import bot.store.sqlite",
    ),
    ("doors and verbs know no window and no SDK", "bot/services/effects.py", "import bot.azure.window"),
    ("doors and verbs know no window and no SDK", "bot/services/effects.py", "import azure.core"),
    ("doors and verbs know no window and no SDK", "bot/worker.py", "import bot.store.sqlite"),
    ("doors and verbs know no window and no SDK", "bot/services/access.py", "import gidgethub"),
    ("doors and verbs know no window and no SDK", "handlers/deployment.py", "import aiohttp"),
    ("the ground floor is pure", "bot/domain/policy.py", "import asyncio"),
    ("the ground floor is pure", "bot/domain/messages/words.py", "import time"),
    ("nothing in the controller knows the pretend world", "bot/worker.py", "import bot.sim.world"),
    ("nothing in the controller knows the pretend world", "handlers/deployment.py", "import bot.sim"),
    ("the pretend world knows nothing else of Miso", "bot/sim/world.py", "import bot.domain.model"),
]


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [program, "--no-logo", "--no-cache"], cwd=directory, capture_output=True, text=True, timeout=100, check=False
    )


def broken(output: str) -> set[str]:
    """Names of contracts in the summary; one with exceptions has their number behind it."""
    return set(re.findall(r"^(.+) BROKEN(?: \(.*\))?$", output, re.MULTILINE))


def test_every_contract_is_kept() -> None:
    ran = lint(ROOT)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in ran.stdout


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("house")
    for name in LINTER["root_packages"]:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


@pytest.mark.full
@pytest.mark.parametrize(
    ("contract", "file", "line"), BREAKS, ids=[f"{file}: {line[-24:]}" for _, file, line in BREAKS]
)
def test_a_broken_contract_is_named(copied: Path, contract: str, file: str, line: str) -> None:
    target = copied / file
    kept = target.read_text(encoding="utf-8")
    target.write_text(f"{kept}\n{line}\n", encoding="utf-8")
    try:
        ran = lint(copied)
    finally:
        target.write_text(kept, encoding="utf-8")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert contract in broken(ran.stdout)


def test_each_contract_is_broken_once() -> None:
    assert {contract for contract, _, _ in BREAKS} == set(CONTRACTS)


def test_every_room_stands_on_a_floor() -> None:
    floors = {room.strip() for layer in CONTRACTS["floors"]["layers"] for room in layer.split("|")}
    rooms = {f"bot.{path.stem}" for path in (ROOT / "bot").iterdir() if not path.name.startswith("_")} | {"handlers"}
    assert rooms - floors == {"bot.sim"}


def test_a_clock_on_the_ground_floor_is_seen(tmp_path: Path) -> None:
    """Calls that contracts cannot see are banned by ruff (TID251)."""
    room = tmp_path / "bot" / "domain"
    room.mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (room / "late.py").write_text('"""Late."""\n\nfrom datetime import UTC, datetime\n\nNOW = datetime.now(UTC)\n')
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise", "bot"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "TID251" in ran.stdout
    assert "time comes from miso.clock" in ran.stdout


# --- what contracts cannot see ---------------------------------------------------------------------------------------


def test_doors_take_of_their_libraries_what_they_need_for_the_door() -> None:
    taken = {name for module in modules("handlers") for name, _ in imports(module) if name.startswith("gidgethub")}
    assert {name.rsplit(".", 1)[0] for name in taken} <= {"gidgethub.routing", "gidgethub.sansio", "gidgethub"}
    assert not {name for name in taken if name.rsplit(".", 1)[0] == "gidgethub"} - {
        "gidgethub.routing",
        "gidgethub.sansio",
    }
    served = {name for module in modules("bot/web") for name, _ in imports(module) if name.startswith("aiohttp")}
    # The types of a middleware are not in `aiohttp.web`.
    assert served == {"aiohttp.web", "aiohttp.typedefs.Handler", "aiohttp.typedefs.Middleware"}


def test_only_the_demo_knows_the_pretend_world_and_only_when_it_runs() -> None:
    knowing = [
        (module.name, lazily)
        for module in modules("bot", "handlers")
        for name, lazily in imports(module)
        if name.startswith("bot.sim") and not module.name.startswith("bot/sim/")
    ]
    assert knowing, "the demo uses the pretend world"
    assert all(name.startswith("bot/cli/demo/") for name, _ in knowing), knowing


def inside(name: str) -> list[Call]:
    return [call for call in calls("bot", "handlers") if call.method == name and not call.module.startswith("bot/sim/")]


def test_azure_is_changed_in_one_place_which_hands_it_to_once() -> None:
    changing = [call for call in inside("apply") if call.receiver.endswith("azure")]
    assert [(call.module, call.within) for call in changing] == [("bot/services/deploying.py", ("_step", "act"))]
    step = _function("bot/services/deploying.py", "_step")
    used = [node for node in ast.walk(step) if isinstance(node, ast.Name) and node.id == "act"]
    [once] = [
        node
        for node in ast.walk(step)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "once"
    ]
    assert [keyword.value for keyword in once.keywords if keyword.arg == "act"] == used


def writing_methods() -> set[str]:
    """Methods of the GitHub window that change something there, by the way they are called."""
    prefixes = ("create_", "update_", "react", "answer_", "deployment_status")
    names = {name for name, _ in inspect.getmembers(context.Repository, inspect.isfunction)}
    return {name for name in names if name.startswith(prefixes)}


SHOWING = {f"bot/services/{name}.py" for name in ("reporting", "conversation", "board", "gate_report")}
"""The third loop's verb and its parts."""


def test_github_is_written_to_by_reporting_alone() -> None:
    names = writing_methods()
    posts = {
        method.name
        for module in modules("bot/github")
        if module.name.endswith("reporter.py")
        for room in module.tree.body
        if isinstance(room, ast.ClassDef)
        for method in room.body
        if isinstance(method, ast.AsyncFunctionDef) and not method.name.startswith(("_", "find_", "older_"))
    }
    assert names == posts, "a method of the reporter neither finds nor is known to write"
    outside = {
        f"{call.module}: {call.method}"
        for name in names
        for call in inside(name)
        if not call.module.startswith("bot/github/") and call.module not in SHOWING
    }
    assert outside == set()


def test_the_journal_is_written_through_two_doors() -> None:
    """`journal.record` for promotions, with projections beside the rows; `notes.write` for all other streams."""
    writing = {
        (call.module, call.within[-1])
        for call in inside("append")
        if call.receiver.endswith("store") and not call.module.startswith("bot/store/")
    }
    assert writing == {("bot/services/journal.py", "record"), ("bot/services/notes.py", "write")}


def test_nothing_but_the_clock_reads_the_time() -> None:
    """Ruff bans it for most rooms; this holds the others too. The alarm clock and the writer wait by monotonic time."""
    reading = {
        f"{call.module}: {call.receiver}.{call.method}"
        for name in ("time", "time_ns", "now", "utcnow", "today")
        for call in inside(name)
        if call.receiver in {"time", "datetime", "datetime.datetime", "date", "datetime.date"}
    }
    assert {each for each in reading if not each.startswith(("bot/clock.py", "bot/cli/"))} == set()


def _function(file: str, name: str) -> ast.AST:
    [module] = [module for module in modules("bot") if module.name == file]
    return next(n for n in module.tree.body if isinstance(n, ast.AsyncFunctionDef) and n.name == name)
