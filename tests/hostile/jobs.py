"""Honest tokens of the wrong job: rightly signed, for us, of this moment, and not the application's (rules 30 and 34).

The honest job they differ from: a push to `main` of `acme/shop`, in environment `production`, on a hosted runner.
"""

from __future__ import annotations

from typing import Any

from bot.domain.codes import Code
from tests.hostile.forge import Forge, Hostile

MAIN = "refs/heads/main"
MISSING = Code.TOKEN_CLAIM_MISSING


def said(what: str, code: Code | None, **claims: Any) -> Hostile:
    """The honest job's token with these claims; None takes one away."""
    return Hostile(what=what, make=lambda forge: forge.says(**claims), code=code)


def runs(what: str, code: Code | None, where: str) -> Hostile:
    """The honest job's token, of this workflow file."""
    return said(what, code, job_workflow_ref=where)


def renamed(forge: Forge) -> str:
    """The same repository and owner after both got another name."""
    where = f"acme-inc/shop-next/.github/workflows/build.yml@{MAIN}"
    return forge.says(repository="acme-inc/shop-next", repository_owner="acme-inc", job_workflow_ref=where, sub="x")


def shifted(forge: Forge, name: str, by: int) -> str:
    return forge.says(**{name: str(int(forge.claims[name]) + by)})


REPOSITORY = (
    Hostile(what="a repository that was renamed", make=renamed, code=None),
    said("another subject, which nobody reads", None, sub="repo:evil/evil:environment:production"),
    Hostile(
        what="a repository of the same name with another id",
        make=lambda forge: shifted(forge, "repository_id", 1),
        code=Code.TRUST_REPOSITORY,
    ),
    Hostile(
        what="a repository after a transfer",
        make=lambda forge: shifted(forge, "repository_owner_id", 1),
        code=Code.TRUST_OWNER,
    ),
    Hostile(
        what="the owner's id for the repository's",
        make=lambda forge: forge.says(repository_id=forge.claims["repository_owner_id"]),
        code=Code.TRUST_REPOSITORY,
    ),
    Hostile(
        what="the repository's id as a number",
        make=lambda forge: forge.says(repository_id=int(forge.claims["repository_id"])),
        code=MISSING,
    ),
    Hostile(
        what="the repository's id with a zero before it",
        make=lambda forge: forge.says(repository_id="0" + forge.claims["repository_id"]),
        code=MISSING,
    ),
    Hostile(
        what="the repository's id with a blank behind it",
        make=lambda forge: forge.says(repository_id=forge.claims["repository_id"] + " "),
        code=MISSING,
    ),
    Hostile(
        what="the repository's id in a list",
        make=lambda forge: forge.says(repository_id=[forge.claims["repository_id"]]),
        code=MISSING,
    ),
    said("the repository's id in digits of another script", MISSING, repository_id="١٢٣"),
    said("no id of the repository", MISSING, repository_id=None),
    said("no id of the owner", MISSING, repository_owner_id=None),
    said("the owner's id as a number", MISSING, repository_owner_id=12),
    said("no name of the repository", MISSING, repository=None),
    said("another name beside the same file", Code.TRUST_WORKFLOW, repository="acme/other"),
)

ENVIRONMENT = (
    said("no environment", Code.TRUST_ENVIRONMENT_MISSING, environment=None),
    said("an empty environment", MISSING, environment=""),
    said("an environment in a list", MISSING, environment=["production"]),
    said("another environment", Code.TRUST_ENVIRONMENT, environment="test"),
    said("an environment in capitals", Code.TRUST_ENVIRONMENT, environment="Production"),
    said("a short name of the environment", Code.TRUST_ENVIRONMENT, environment="prod"),
    said("an environment with a blank behind it", Code.TRUST_ENVIRONMENT, environment="production "),
    said("an environment with a Cyrillic o", Code.TRUST_ENVIRONMENT, environment="pr\u043eduction"),
    said("an environment in wide letters", Code.TRUST_ENVIRONMENT, environment="\uff50roduction"),
    said("an environment with an invisible joiner", Code.TRUST_ENVIRONMENT, environment="production\u200d"),
    said("an environment below it", Code.TRUST_ENVIRONMENT, environment="production/eu"),
)

EVENT = (
    said("a pull request", Code.TRUST_EVENT, event_name="pull_request", ref="refs/pull/1/merge"),
    said("a pull request that runs as its target", Code.TRUST_EVENT, event_name="pull_request_target"),
    said("a comment", Code.TRUST_EVENT, event_name="issue_comment"),
    said("a schedule that no rule names", Code.TRUST_EVENT, event_name="schedule"),
    said("an event in capitals", Code.TRUST_EVENT, event_name="Push"),
    said("no event", MISSING, event_name=None),
    said("an event in a list", MISSING, event_name=["push"]),
)

REF = (
    said("a tag", Code.TRUST_REF, ref="refs/tags/v1", ref_type="tag"),
    said("a tag that says it is a branch", Code.TRUST_REF, ref="refs/tags/main"),
    said("a branch that says it is a tag", Code.TRUST_REF, ref_type="tag"),
    said("the merge of a pull request", Code.TRUST_REF, ref="refs/pull/1/merge"),
    said("the head of a pull request", Code.TRUST_REF, ref="refs/pull/1/head"),
    said("another branch", Code.TRUST_REF, ref="refs/heads/feature"),
    said("a branch that begins like it", Code.TRUST_REF, ref="refs/heads/main2"),
    said("a branch that ends like it", Code.TRUST_REF, ref="refs/heads/evil/main"),
    said("a branch that is called like the ref", Code.TRUST_REF, ref="refs/heads/refs/heads/main"),
    said("a branch in capitals", Code.TRUST_REF, ref="refs/heads/Main"),
    said("a branch without its prefix", Code.TRUST_REF, ref="main"),
    said("the prefix without a branch", Code.TRUST_REF, ref="refs/heads/"),
    said("no ref", MISSING, ref=None),
    said("an empty ref", MISSING, ref=""),
    said("no kind of ref", MISSING, ref_type=None),
)

WORKFLOW = (
    runs("another workflow of the repository", None, f"acme/shop/.github/workflows/other.yml@{MAIN}"),
    runs("a workflow of another repository", Code.TRUST_WORKFLOW, f"evil/shop/.github/workflows/build.yml@{MAIN}"),
    runs("of one whose name begins alike", Code.TRUST_WORKFLOW, f"acme/shop2/.github/workflows/build.yml@{MAIN}"),
    runs("of one whose name ends alike", Code.TRUST_WORKFLOW, f"evil/acme/shop/.github/workflows/build.yml@{MAIN}"),
    runs("a file elsewhere", Code.TRUST_WORKFLOW, f"acme/shop/workflows/build.yml@{MAIN}"),
    runs("a file below the folder", Code.TRUST_WORKFLOW, f"acme/shop/.github/workflows/x/build.yml@{MAIN}"),
    runs("a folder without a file", Code.TRUST_WORKFLOW, f"acme/shop/.github/workflows/@{MAIN}"),
    runs("a file of another branch", Code.TRUST_WORKFLOW, "acme/shop/.github/workflows/build.yml@refs/heads/x"),
    runs("a file of a tag", Code.TRUST_WORKFLOW, "acme/shop/.github/workflows/build.yml@refs/tags/main"),
    runs("a file of a pull request", Code.TRUST_WORKFLOW, "acme/shop/.github/workflows/build.yml@refs/pull/1/merge"),
    runs("a file of some commit", Code.TRUST_WORKFLOW, f"acme/shop/.github/workflows/build.yml@{'a' * 40}"),
    runs("a file of no ref", Code.TRUST_WORKFLOW, "acme/shop/.github/workflows/build.yml"),
    runs("a ref in the file's name", Code.TRUST_WORKFLOW, f"acme/shop/.github/workflows/x@{MAIN}@refs/heads/x"),
    said("no workflow file", MISSING, job_workflow_ref=None),
    said("a runner of one's own", Code.TRUST_RUNNER, runner_environment="self-hosted"),
    said("a runner in capitals", Code.TRUST_RUNNER, runner_environment="GitHub-Hosted"),
    said("a runner that calls itself any", Code.TRUST_RUNNER, runner_environment="any"),
    said("no kind of runner", MISSING, runner_environment=None),
)

RUN = (
    said("a short commit", MISSING, sha="abcdef123456"),
    said("a commit in capitals", MISSING, sha="A" * 40),
    said("a commit of 64 digits", MISSING, sha="a" * 64),
    said("no commit", MISSING, sha=None),
    said("a branch for a commit", MISSING, sha="main"),
    said("no run", MISSING, run_id=None),
    said("run 0", MISSING, run_id="0"),
    said("a run below nothing", MISSING, run_id="-5"),
    said("a run as a number", MISSING, run_id=5),
    said("a run in hexadecimal", MISSING, run_id="0x10"),
    said("attempt 0", MISSING, run_attempt="0"),
    said("attempt -1", MISSING, run_attempt="-1"),
    said("attempt +1", MISSING, run_attempt="+1"),
    said("attempt 1.0", MISSING, run_attempt="1.0"),
    said("attempt 1_0", MISSING, run_attempt="1_0"),
    said("an empty attempt", MISSING, run_attempt=""),
    said("an attempt beyond all numbers", MISSING, run_attempt="9" * 20),
    said("an attempt beyond what is stored", MISSING, run_attempt=str(2**63)),
    said("no attempt", MISSING, run_attempt=None),
    said("an account by name", MISSING, actor_id="ann"),
    said("no account", MISSING, actor_id=None),
)

JOBS = (*REPOSITORY, *ENVIRONMENT, *EVENT, *REF, *WORKFLOW, *RUN)
"""What the trust rules judge."""
