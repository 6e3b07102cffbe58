"""What a trust file allows as it is written, and what somebody should look at again."""

from __future__ import annotations

import pytest

from bot.domain.trust_file import lint, read
from tests.domain.trust_texts import DEVOPS, GUID, PIN, PIPELINE, rule


def findings(text: str) -> list[str]:
    book, wrong = read({"a.yml": text})
    assert wrong == ()
    found = lint(book)
    assert all((each.issuer, each.rule) == (next(iter(book.issuers)), "a") for each in found)
    return [each.sentence for each in found]


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        (rule("runner: self-hosted"), ["opens production to jobs on self-hosted runners"]),
        (rule("runner: any"), ["opens production to jobs on self-hosted runners"]),
        (rule("runner: any").replace("prod", "dev"), []),
        (rule("branches: ['release/*']"), ["opens production to every branch of a family"]),
        (rule("branches: ['release/*']").replace("prod", "test"), []),
        (rule("branches: [main, release]"), []),
        (
            rule("workflows: [acme/ci/.github/workflows/x.yml@refs/tags/v1]"),
            ["trusts acme/ci to change .github/workflows/x.yml later"],
        ),
        (rule(f"workflows: [acme/ci/.github/workflows/x.yml@{PIN}, .github/workflows/x.yml]"), []),
        (
            DEVOPS.format(GUID, "prod", PIPELINE),
            ["knows the repository by its name", "opens production to tokens of an audience that everybody has"],
        ),
        (DEVOPS.format(GUID, "dev", PIPELINE.replace("acme/shop", GUID)), []),
        (
            "issuer: https://gitlab.com\nprofile: gitlab\nrules:\n"
            f"  - {{name: a, environments: [dev], applications: [{GUID}], project: 1, namespace: 2, protected: false}}",
            ["takes branches that are not protected"],
        ),
    ],
)
def test_what_is_dangerous_is_found(text: str, begins: list[str]) -> None:
    found = findings(text)
    assert len(found) == len(begins)
    assert all(each.startswith(begin) for each, begin in zip(found, begins, strict=True))
