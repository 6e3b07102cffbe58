"""How issuers, workflows, pipelines and files are written in a trust file, and how not."""

from __future__ import annotations

import json

import pytest

from bot.domain.trust_file import read
from tests.domain.trust_texts import DEVOPS, GUID, PIN, PIPELINE, faults, issuer, rule, said


@pytest.mark.parametrize(
    "url",
    [
        "https://token.actions.githubusercontent.com",
        "https://token.actions.githubusercontent.com/acme-inc",
        "https://ghes.example.com/_services/token",
        "https://ghes.example.com:8443/_services/token",
        "https://token.actions.octocorp.ghe.com",
        "http://127.0.0.1:8080",
        "http://localhost/enterprise",
        "http://[::1]:8080",
    ],
)
def test_forms_of_issuers(url: str) -> None:
    book, wrong = read({"a.yml": issuer(url)})
    assert wrong == ()
    assert list(book.issuers) == [url]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "token.actions.githubusercontent.com",
        "http://token.actions.githubusercontent.com",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://169.254.169.254",
        "ftp://a.example",
        "https://",
        "https://a.example/",
        "https://A.example",
        "https://a.example/x/",
        "https://a.example//x",
        "https://a.example/../x",
        "https://a.example/./x",
        "https://a.example?x",
        "https://a.example#x",
        "https://user@a.example",
        "https://user:word@a.example",
        "https://a.example/%2e%2e",
        "https://a.example/x y",
        "https://a.example\n",
        "https://\u0430.example",
        "https://a.example:0",
        "https://[::1",
        "https://a_b.example",
    ],
)
def test_rule_18_what_is_no_issuer(url: str) -> None:
    assert " issuer: must be" in faults(issuer(url))[0]


@pytest.mark.parametrize(
    "workflow",
    [
        "deploy.yml",
        ".github/workflows/",
        ".github/workflows/x/deploy.yml",
        ".github/workflows/deploy.txt",
        ".github/workflows/*.yml",
        ".github/workflows/../x.yml",
        ".github/workflows/deploy.yml@refs/heads/main",
        "/.github/workflows/deploy.yml",
        "acme/.github/workflows/deploy.yml@refs/heads/main",
        "acme/ci/x/.github/workflows/deploy.yml@refs/heads/main",
        "acme/ci/.github/workflows/deploy.yml",
        "acme/ci/.github/workflows/deploy.yml@",
        "acme/ci/.github/workflows/deploy.yml@main",
        "acme/ci/.github/workflows/deploy.yml@v1",
        f"acme/ci/.github/workflows/deploy.yml@{PIN[:12]}",
        f"acme/ci/.github/workflows/deploy.yml@{PIN.upper()}",
        "acme/ci/.github/workflows/deploy.yml@refs/heads/*",
        "acme/ci/.github/workflows/deploy.yml@refs/heads/../x",
        "acme/*/.github/workflows/deploy.yml@refs/heads/main",
    ],
)
def test_rule_30_what_is_no_workflow(workflow: str) -> None:
    assert faults(rule(f"workflows: [{json.dumps(workflow)}]"))


def test_an_organisation_is_part_of_the_issuer() -> None:
    assert said(DEVOPS.format("contoso", "dev", PIPELINE)).endswith("the organisation's GUID in lower case")
    assert said(DEVOPS.format(GUID.upper(), "dev", PIPELINE)).endswith("the organisation's GUID in lower case")


@pytest.mark.parametrize(
    ("was", "wrong"),
    [
        (f"applications: [{GUID}]", "applications: []"),
        (f"project: {GUID}", "project: shop"),
        ("definition: 1", "definition: 0"),
        ("definition: 1", "definition: shop-ci"),
        ("repository: acme/shop", "repository: shop"),
        ("repository: acme/shop", "repository: https://github.com/acme/shop"),
    ],
)
def test_a_pipeline_needs_every_id(was: str, wrong: str) -> None:
    assert faults(DEVOPS.format(GUID, "dev", PIPELINE.replace(was, wrong)))
    assert faults(DEVOPS.format(GUID, "dev", PIPELINE.replace(was, "x: 1")))


def test_a_file_of_gitlab_is_a_path() -> None:
    text = (
        "issuer: https://gitlab.com\nprofile: gitlab\nrules:\n  - {{name: a, environments: [dev], {}, workflows: [{}]}}"
    )
    own = f"applications: [{GUID}], project: 1, namespace: 2"
    assert read({"a.yml": text.format(own, "ci/deploy.yml")})[1] == ()
    for wrong in ("https://evil.example/x.yml", "../x.yml", "/x.yml", "x", ""):
        assert faults(text.format(own, json.dumps(wrong)))
