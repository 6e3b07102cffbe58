"""`config/trust/*.yml`: strict, all faults with their lines, and nothing that is wrong trusts anybody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.claims import Profile
from bot.domain.model import Stage
from bot.domain.trust import Book
from bot.domain.trust_file import lint, read, schema
from bot.domain.trust_keys import (
    AzureDevOpsIssuerKeys,
    AzureDevOpsRuleKeys,
    GitHubIssuerKeys,
    GitHubRuleKeys,
    GitLabIssuerKeys,
    GitLabRuleKeys,
)
from bot.domain.trust_rules import AzureDevOpsRule, GitHubRule, GitLabRule, Workflow
from tests.domain.trust_texts import GUID, PIN, RULE, faults, issuer, rule, said

ROOT = Path(__file__).parents[2]
TRUST = ROOT / "config" / "trust"


def shipped(*names: str) -> tuple[Book, tuple[str, ...]]:
    return read({name: (TRUST / name).read_text("utf-8") for name in names})


def test_the_shipped_file_trusts_github_and_the_default_branch() -> None:
    book, wrong = shipped("github.yml")
    assert wrong == ()
    trust = book.issuers["https://token.actions.githubusercontent.com"]
    assert (trust.profile, trust.audience, trust.jwks_host) == (Profile.GITHUB, "", "")
    assert trust.rules == (
        GitHubRule(
            name="default branch",
            stages=frozenset(Stage),
            events=frozenset({"push", "workflow_dispatch", "workflow_run", "deployment"}),
            runner="github-hosted",
        ),
    )
    assert lint(book) == ()


def test_only_github_is_switched_on() -> None:
    assert [path.name for path in sorted(TRUST.iterdir()) if path.suffix == ".yml"] == ["github.yml"]


def test_the_examples_are_right_and_say_that_nobody_saw_them_live() -> None:
    names = [path.name for path in sorted(TRUST.iterdir()) if path.suffix == ".disabled"]
    assert names == ["azure-devops.yml.disabled", "gitlab.yml.disabled"]
    book, wrong = shipped(*names)
    assert wrong == ()
    assert all("not seen live" in (TRUST / name).read_text("utf-8") for name in names)
    devops, gitlab = book.issuers.values()
    assert (devops.profile, devops.audience) == (Profile.AZURE_DEVOPS, "api://AzureADTokenExchange")
    assert devops.rules == (
        AzureDevOpsRule(
            name="shop pipeline",
            stages=frozenset({Stage.DEV, Stage.TEST}),
            applications=frozenset({GUID}),
            organisation="11111111-2222-4333-8444-555555555555",
            project="22222222-3333-4444-8555-666666666666",
            definition="12",
            repository="33333333-4444-4555-8666-777777777777",
        ),
    )
    assert gitlab.rules == (
        GitLabRule(
            name="shop",
            stages=frozenset(Stage),
            applications=frozenset({GUID}),
            events=frozenset({"push", "web"}),
            host="gitlab.com",
            project="20",
            namespace="72",
            protected=True,
            workflows=(".gitlab-ci.yml",),
            runner="gitlab-hosted",
        ),
    )


def test_every_key_of_github_is_read() -> None:
    text = f"""
issuer: https://ghes.example.com/_services/token
profile: github
audience: https://miso.example
jwks_host: keys.example.com:8443
rules:
  - name: central
    environments: [prod, tst]
    applications: [{GUID.upper()}]
    events: [schedule]
    branches: [main, release/*]
    workflows: [.github/workflows/a.yaml, acme/ci/.github/workflows/b.yml@{PIN}]
    runner: any
"""
    book, wrong = read({"a.yml": text})
    assert wrong == ()
    trust = book.issuers["https://ghes.example.com/_services/token"]
    assert (trust.audience, trust.jwks_host) == ("https://miso.example", "keys.example.com:8443")
    assert trust.rules == (
        GitHubRule(
            name="central",
            stages=frozenset({Stage.TEST, Stage.PRODUCTION}),
            applications=frozenset({GUID}),
            events=frozenset({"schedule"}),
            branches=("main", "release/*"),
            workflows=(
                Workflow(path=".github/workflows/a.yaml"),
                Workflow(path=".github/workflows/b.yml", repository="acme/ci", ref=PIN),
            ),
            runner="any",
        ),
    )


def test_every_fault_of_every_file_is_told_with_its_line() -> None:
    text = f"""issuer: https://a.example/
profile: github
jwks_host: https://a.example
audience: "with blank"
enabled: maybe
extra: 1
rules:
  - name: x
    environments: [qa]
    branchs: [main]
    branches: ["*"]
    events: [Push]
    workflows: [deploy.yml]
    applications: [{GUID[:-1]}]
    runner: mine
  - {{name: x, environments: []}}
"""
    _, found = read({"b.yml": "profile: github\nrules: []\nissuer: 1\n", "a.yml": text, "c.yml": "- 1\n"})
    begins = [fault.partition(": ")[0] for fault in found]
    assert begins == [f"a.yml:{line}" for line in (1, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16)] + [
        "b.yml:3",
        "c.yml:1",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("issuer: https://a.example\nrules: []", "is missing"),
        ("issuer: https://a.example\nprofile: jenkins\nrules: []", "must be one of github, azure_devops, gitlab"),
        ("issuer: https://a.example\nprofile: [github]\nrules: []", "must be one of github, azure_devops, gitlab"),
        ("issuer: https://a.example\nprofile: github", "is missing"),
        ("issuer: https://a.example\nprofile: github\nrules: []\nrules: []", "is said twice, first in line 3"),
        ("issuer: https://a.example\nprofile: github\nrules: []\nenable: true", "did you mean enabled?"),
        (f"issuer: https://a.example\nprofile: github\nrules: [{RULE}, {RULE}]", "holds rule a twice"),
        (rule("events: []"), "must name at least one"),
        (rule("branches: [main, main]"), "holds branch main twice"),
        (rule("branches: ['*']"), "must be a branch, or release/* for all below release/"),
        (rule("branches: ['rel*/x']"), "must be a branch, or release/* for all below release/"),
        (rule("branches: ['main|x']"), ""),
        (rule("runner: mine"), "must be 'any', 'github-hosted' or 'self-hosted'"),
    ],
)
def test_what_is_said_of_a_fault(text: str, sentence: str) -> None:
    if not sentence:
        # A pipe is a letter like any other in the name of a branch, and no "or" (rule 19).
        assert read({"a.yml": text})[1] == ()
        return
    assert any(fault.endswith(sentence) for fault in faults(text)), faults(text)


@pytest.mark.parametrize("event", ["pull_request", "pull_request_review", "merge_request_event"])
def test_events_whose_commit_nobody_decided_about_are_not_possible(event: str) -> None:
    assert "is not possible" in faults(rule(f"events: [push, {event}]"))[0]


@pytest.mark.parametrize("event", ["pull_request_target", "issue_comment", "issues", "fork"])
def test_events_that_anybody_can_cause_are_never_for_production(event: str) -> None:
    assert said(rule(f"events: [{event}]")).endswith("is not possible for production")
    book, wrong = read({"a.yml": rule(f"events: [{event}]").replace("prod", "dev")})
    assert wrong == ()
    assert [finding.sentence.partition(",")[0] for finding in lint(book)] == [f"takes runs of {event}"]


def test_a_file_that_is_switched_off_is_checked_and_trusts_nobody() -> None:
    text = issuer("https://a.example")
    assert read({"a.yml": text + "\nenabled: false"}) == (Book(), ())
    assert faults("enabled: false\n" + issuer("https://a.example/"))


def test_no_files_trust_nobody() -> None:
    assert read({}) == (Book(), ())


def test_an_issuer_has_one_file() -> None:
    text = issuer("https://a.example")
    book, wrong = read({"a.yml": text, "b.yml": text})
    assert book == Book()
    assert wrong == ("b.yml:1: issuer: has a file already, a.yml",)


@given(st.text(alphabet="abc{}[]:&*!-?|>'\"# \n\t0x<%@`", max_size=60))
def test_no_text_makes_it_raise(text: str) -> None:
    for whole in (text, f"profile: github\nissuer: {text}", f"profile: gitlab\nrules: {text}", f"profile: {text}"):
        book, wrong = read({"a.yml": whole})
        assert book == Book()
        assert wrong


def test_the_schema_for_editors_is_current() -> None:
    written = ROOT / "config" / "schemas" / "trust.yml.schema.json"
    assert json.loads(written.read_text("utf-8")) == json.loads(json.dumps(schema())), (
        "python -m bot.settings trust-schema > config/schemas/trust.yml.schema.json"
    )


def test_the_page_names_every_key() -> None:
    page = (ROOT / "docs" / "trust.md").read_text("utf-8")
    issuers = (GitHubIssuerKeys, AzureDevOpsIssuerKeys, GitLabIssuerKeys)
    rules = (GitHubRuleKeys, AzureDevOpsRuleKeys, GitLabRuleKeys)
    for model in (*issuers, *rules):
        missing = [name for name in model.model_fields if f"| `{name}` |" not in page]
        assert not missing, model.__name__
