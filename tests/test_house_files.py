"""The files of the repository: sizes, names, locks, and words that have no place in it."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

from tests.sources import ROOT, files, functions, ignored, modules

TOP_LEVEL = {
    ".ci",
    ".dockerignore",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "Dockerfile",
    "Makefile",
    "README.md",
    "app.yml",
    "bot",
    "config",
    "docs",
    "handlers",
    "pyproject.toml",
    "tests",
}

LONG_FILES = {
    "bot/context.py": "the hall: every protocol of the outside, to be read as one page",
    "bot/domain/commands.py": "the whole grammar of comments, whose parts make no sense alone",
    "bot/domain/model.py": "the vocabulary: many small frozen values and no behaviour",
    "bot/domain/promotion.py": "the life of a promotion: one small function for each kind of row",
    "bot/services/answering.py": "what each command does: a short function for each, and the table of them",
    "bot/worker.py": "three loops and the one way in which each starts, bounds and mends its work",
    "bot/sim/github/state.py": "the records of the pretend GitHub, a dataclass each",
    "tests/test_worker.py": "three loops over one stage; what disturbs one must not disturb the others",
    "tests/domain/test_plan.py": "every write from every state that Azure can show",
}
LONG_FUNCTIONS = {
    "bot/app.py: building": "the one list of what is wired to what, read from top to bottom",
    "bot/cli/demo/claims.py: _github": "a table of claims",
    "bot/sim/actions.py: _claims": "a table of claims",
    "bot/sim/github/pages.py: pages": "a table of routes",
    "bot/sim/github/scenario/runs.py: run_workflow": "one record with all its fields, and the event that tells of it",
    "bot/sim/github/shapes/pulls.py: simple_pull": "GitHub's shape, one line a field",
    "tests/bench/promoting.py: _figures": "the table of what is printed, one entry a figure",
    "tests/flows/apart.py: apart": "two processes and their settings",
}
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 300, 50

LOCKS = (".ci/requirements.lock", ".ci/requirements-dev.lock")
_PIN = re.compile(r"(?m)^(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^ ;\\]+)(?P<rest>.*(?:\n {4}.*)*)")
_MARK = re.compile(r"(?P<word>noqa(?:: ?[A-Z0-9, ]+)?|type: ignore(?:\[[a-z0-9, -]+\])?)(?P<rest>.*)$")

FORBIDDEN = {
    "a path of somebody's machine": re.compile(r"(?:^|[\s\"'(=])/(?:work|home|Users|root)/[A-Za-z]"),
    "a folder of somebody's task": re.compile(r"/tmp/(?!miso|\{)[a-z]+/"),
    "a host of a package registry": re.compile(r"pypi\.org|pythonhosted\.org|registry\.npmjs|proxy\.golang|crates\.io"),
    "work that was left undone": re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b"),
    "a drawer without a name": re.compile(r"\b[Hh]elpers?\b"),
}
TEXT = {".py", ".md", ".yml", ".yaml", ".toml", ".json", ".in", ".lock", ".disabled", ".ambr", ""}


def test_no_file_is_long_without_a_reason() -> None:
    long = {module.name for module in modules("bot", "handlers", "tests") if module.text.count("\n") > MOST_LINES}
    assert long <= set(LONG_FILES), "shorten it, or give a reason above"
    assert all((ROOT / name).exists() for name in LONG_FILES)


def test_no_function_is_long_without_a_reason() -> None:
    long = {
        f"{module.name}: {function.name}"
        for module in modules("bot", "handlers", "tests")
        for function in functions(module)
        if (function.end_lineno or 0) - function.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    }
    assert long <= set(LONG_FUNCTIONS), "shorten it, or give a reason above"


def test_no_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
    assert not {path for path in files() if drawers & {part.removesuffix(".py") for part in path.parts}}


def test_every_module_has_its_door_sign() -> None:
    """A docstring that says what is behind the door; only an empty `__init__.py` needs none."""
    unsigned = {
        module.name
        for module in modules("bot", "handlers", "tests")
        if module.text.strip() and not module.text.lstrip("# \n").startswith(('"""', "ruff:"))
    }
    assert not unsigned


def test_the_top_folder_holds_what_it_should() -> None:
    there = {path.name for path in ROOT.iterdir() if path.name != ".git" and not ignored(path)}
    assert there <= TOP_LEVEL
    assert there >= TOP_LEVEL


def test_config_never_becomes_a_package() -> None:
    """A distribution named `config` would overwrite it, and delete it when it goes."""
    assert not [path for path in files(ROOT / "config") if path.suffix == ".py"]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_hashes_for_every_pin_and_names_no_host(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    pins = list(_PIN.finditer(text))
    assert len(pins) > 40
    assert not [pin["name"] for pin in pins if "--hash=sha256:" not in pin["rest"]]
    covered = sum(len(pin[0].splitlines()) for pin in pins)
    assert covered == len([line for line in text.splitlines() if line and not line.startswith("#")])


def test_both_locks_agree_and_hold_what_pyproject_asks_for() -> None:
    runtime, dev = (
        {pin["name"]: pin["version"] for pin in _PIN.finditer((ROOT / name).read_text(encoding="utf-8"))}
        for name in LOCKS
    )
    assert runtime.items() <= dev.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(wanted: list[str]) -> set[str]:
        found = (re.match(r"[A-Za-z0-9._-]+", each) for each in wanted)
        return {match[0].lower().replace("_", "-") for match in found if match} - {project["name"]}

    extras = project["optional-dependencies"]
    assert names(project["dependencies"]) | names(extras["demo"]) <= set(runtime)
    assert names(extras["dev"]) <= set(dev)


def test_the_licence_is_told_as_spdx() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "MIT"
    assert all((ROOT / name).is_file() for name in project["license-files"])
    assert "Private :: Do Not Upload" in project["classifiers"]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_repository_speaks_of_the_product_alone(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files()
        if path.suffix in TEXT and path != ROOT / "tests" / "test_house_files.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found, what


def test_what_a_tool_is_told_to_overlook_has_its_reason() -> None:
    """`noqa` and `type: ignore` name their rule, and say why: behind it, or in a comment above."""
    bare = []
    for module in modules("bot", "handlers", "tests"):
        if module.name == "tests/test_house_files.py":
            continue
        above = ""
        for number, line in enumerate(module.text.splitlines(), start=1):
            said, above = above.startswith("#"), line.strip()
            marks = _MARK.finditer(line.partition("# ")[2])
            if any(":" not in m["word"] or not (said or re.search(r"[a-z]{2,}", m["rest"])) for m in marks):
                bare.append(f"{module.name}:{number}: {line.strip()}")
    assert not bare


def test_no_secret_lies_in_the_repository() -> None:
    kinds = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=]{40}|\bgh[ps]_[A-Za-z0-9]{36}\b")
    assert not [p for p in files() if p.suffix in TEXT and kinds.search(p.read_text(encoding="utf-8"))]


def test_the_script_of_the_pipeline_is_one() -> None:
    run = ROOT / ".ci" / "run"
    assert run.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", run], check=False, capture_output=True).returncode == 0
    text = run.read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert "step test make test\n" in text
