"""`.github/miso.yml` is data from a repository: all faults at once with their lines, and no YAML tricks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st

from bot.domain.model import Stage
from bot.domain.repository_config import ConfigFault, RepositoryConfig, check, parse, schema, tag_for
from bot.domain.rules import Policy
from bot.domain.tightness import tighten

WHOLE = """\
# what Miso needs to know
image: registry.example/team/shop
build: .github/workflows/build.yml
tag: release-{sha}
port: 3000
health: /healthz
"""
SHORT = "image: registry.example/shop\nbuild: .github/workflows/build.yml\n"


def faults(text: str) -> tuple[ConfigFault, ...]:
    found = parse(text)
    assert isinstance(found, tuple), "it was accepted"
    assert found, "there is a reason"
    return found


def test_a_whole_file() -> None:
    found = parse(WHOLE)
    assert isinstance(found, RepositoryConfig)
    assert (found.image, found.build) == ("registry.example/team/shop", ".github/workflows/build.yml")
    assert (found.tag, found.port, found.health) == ("release-{sha}", 3000, "/healthz")


def test_what_is_left_out_has_a_default() -> None:
    found = parse(SHORT)
    assert isinstance(found, RepositoryConfig)
    assert (found.tag, found.port, found.health) == ("{sha}", 8080, "/")


def test_all_faults_at_once_with_their_lines() -> None:
    text = "image: Registry/shop:latest\nhealth: //evil.example\nport: '80'\ncolour: red\ntag: latest\n"
    assert [(f.line, f.path) for f in faults(text)] == [
        (1, "build"),
        (1, "image"),
        (2, "health"),
        (3, "port"),
        (4, "colour"),
        (5, "tag"),
    ]


@pytest.mark.parametrize(
    "path", ["", "healthz", "//evil.example/", "/a?b", "/a#b", "/a b", "/../x", "/%2e", "/\\x", "/ä"]
)
def test_rule_18_the_health_path_stays_on_the_host(path: str) -> None:
    assert [f.path for f in faults(SHORT + f"health: {json.dumps(path)}\n")] == ["health"]


@pytest.mark.parametrize(
    "image",
    [
        "shop",
        "library/shop",
        "registry.example/shop:1",
        "registry.example/shop@sha256:" + "1" * 64,
        "registry.example/",
        "https://registry.example/shop",
        "registry.example/Shop",
        "registry.example/../shop",
        "registry.example//shop",
    ],
)
def test_an_image_is_host_and_repository(image: str) -> None:
    assert [f.path for f in faults(f"image: {json.dumps(image)}\nbuild: .github/workflows/b.yml")] == ["image"]


def test_a_port_in_the_host_is_fine() -> None:
    assert isinstance(parse("image: localhost:5000/shop\nbuild: .github/workflows/b.yml"), RepositoryConfig)


@pytest.mark.parametrize(
    "build", ["build.yml", ".github/workflows/../x.yml", ".github/workflows/a/b.yml", ".github/workflows/b.yml@main"]
)
def test_a_build_is_a_workflow_path(build: str) -> None:
    assert [f.path for f in faults(f"image: registry.example/shop\nbuild: {build}\n")] == ["build"]


@pytest.mark.parametrize(
    "tag", ["latest", "main", "{commit}", "{sha}{sha}", "-{sha}", "{sha}/x", "{sha} x", "{sha}" + "x" * 100]
)
def test_rule_13_a_tag_names_its_commit(tag: str) -> None:
    assert [f.path for f in faults(SHORT + f"tag: {json.dumps(tag)}\n")] == ["tag"]


@pytest.mark.parametrize("port", ["0", "65536", "'80'", "80.5", "true", "[80]", "null"])
def test_a_port_is_a_port(port: str) -> None:
    assert [f.path for f in faults(SHORT + f"port: {port}\n")] == ["port"]


def test_a_key_is_said_once() -> None:
    found = faults(SHORT + "port: 80\nport: 81\n")
    assert [(f.line, f.path) for f in found] == [(4, "port")]
    assert "line 3" in found[0].sentence


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (SHORT + "x: &a [1]\n", "anchors"),
        (SHORT + "tag: *a\n", "anchors"),
        (SHORT + "port: !!python/object/apply:os.system ['true']\n", "tags"),
        (SHORT + "port: !!int '80'\n", "tags"),
        (SHORT + "x: " + "[" * 40 + "]" * 40 + "\n", "deeply"),
        (SHORT + "x: " + "a" * 70_000, "larger"),
        (SHORT + "---\n" + SHORT, "YAML"),
        ("image: [", "YAML"),
        ("\tx: 1", "YAML"),
        ("a: \x00", "YAML"),
        ("", "keys and values"),
        ("- image", "keys and values"),
        ("just words", "keys and values"),
        (SHORT + "? [a, b]\n: 1\n", "plain words"),
        (SHORT + "<<: {port: 1}\n", "not a known key"),
        (SHORT + "health: 2020-13-45\n", "a path"),
        (SHORT + "port: 0x_\n", "quotes"),
    ],
)
def test_yaml_tricks_are_refused(text: str, word: str) -> None:
    assert word in " ".join(f.sentence for f in faults(text))


def test_a_bomb_of_aliases_costs_nothing() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    assert "anchors" in faults(bomb)[0].sentence


# --- its policy ------------------------------------------------------------------------------------------------------

POLICY = (
    SHORT
    + """\
policy:
  prod:
    approvals: 2
    approve: {role: maintain, teams: [42]}
    freezes:
      - {name: fair, starts: 2026-05-01T00:00, lasts: 3d}
  tst:
    soak: 2h
"""
)
BASE = {Stage.TEST: Policy(soak_minutes=60), Stage.PRODUCTION: Policy(approvals=1)}


def test_a_policy_by_stage_whatever_it_is_called() -> None:
    found = parse(POLICY)
    assert isinstance(found, RepositoryConfig)
    assert {stage: sorted(own.said) for stage, own in found.policy.items()} == {
        Stage.PRODUCTION: ["approvals", "approve", "freezes"],
        Stage.TEST: ["soak"],
    }
    assert check(POLICY, BASE) == ()
    bare = parse(SHORT)
    assert isinstance(bare, RepositoryConfig)
    assert bare.policy == {}


def test_faults_of_the_policy_have_their_lines_too() -> None:
    text = (
        SHORT
        + """\
policy:
  prod:
    aprovals: 2
    freezes:
      - {name: fair, starts: 2026-05-01T00:00, lasts: 3d}
      - {name: move, starts: soon, lasts: 3d}
    branches: []
  production: {}
  qa: {}
  test: 3
"""
    )
    assert [(f.line, f.path) for f in faults(text)] == [
        (5, "policy.production.aprovals"),
        (8, "policy.production.freezes[1].starts"),
        (9, "policy.production.branches"),
        (10, "policy.production"),
        (11, "policy.qa"),
        (12, "policy.test"),
    ]


def test_rule_3_what_is_looser_is_told_in_its_line_and_does_not_count() -> None:
    text = (
        SHORT
        + """\
policy:
  dev: {approvals: 1}
  test: {soak: 30m}
  production:
    wait: 90d
    approvals: 0
    availability:
      zones: 1
"""
    )
    base = {Stage.TEST: Policy(soak_minutes=60), Stage.PRODUCTION: Policy(approvals=1, min_zones=2)}
    assert [(f.line, f.path) for f in check(text, base)] == [
        (5, "policy.test.soak"),
        (7, "policy.production.wait"),
        (8, "policy.production.approvals"),
        (10, "policy.production.availability.zones"),
    ]
    assert check(text, base)[2].sentence == "is looser than this installation's policy, which counts instead: 1"
    found = parse(text)
    assert isinstance(found, RepositoryConfig), "the rest of it counts"
    assert tighten(base[Stage.PRODUCTION], found.policy[Stage.PRODUCTION]) == base[Stage.PRODUCTION]


def test_what_is_looser_is_told_beside_every_other_fault() -> None:
    text = "image: shop\npolicy:\n  production: {approvals: 0}\n  test: {soak: 30}\n"
    assert [f.path for f in check(text, BASE)] == ["build", "image", "policy.production.approvals", "policy.test.soak"]


@given_that(st.text(max_size=200))
def test_no_text_makes_it_raise(text: str) -> None:
    assert parse(text) is not None
    assert parse(SHORT + text) is not None
    assert check(f"{SHORT}policy: {text}", BASE) is not None


@given_that(st.text(alphabet="abc{}[]:&*!-?|>'\"# \n\t0x<%@`", max_size=60))
def test_no_yaml_makes_it_raise(text: str) -> None:
    assert parse(text) is not None
    assert check(f"{SHORT}policy: {{prod: {text}}}", BASE) is not None


def test_a_tag_is_made_of_a_full_commit() -> None:
    config = RepositoryConfig(image="registry.example/shop", build=".github/workflows/b.yml", tag="v-{sha}")
    assert tag_for(config, "a" * 40) == "v-" + "a" * 40
    for wrong in ("a" * 12, "A" * 40, "main", "a" * 40 + "\n"):
        with pytest.raises(ValueError, match="full commit"):
            tag_for(config, wrong)


def test_the_schema_for_editors_is_current() -> None:
    written = Path(__file__).parents[2] / "config" / "schemas" / "miso.yml.schema.json"
    assert json.loads(written.read_text("utf-8")) == json.loads(json.dumps(schema()))
