"""One trust rule of each profile: which claims it looks at, in which order, and against what.

Compiled by `bot.domain.trust_keys` from what people wrote, walked by `bot.domain.trust`. Everything is an equality of
ids or of exact text; there are no patterns but `release/*` (rule 19), and the subject (`sub`) is never read (rule 30).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from bot.domain.claims import Profile
from bot.domain.codes import Code
from bot.domain.model import Application, Environment, Stage
from bot.domain.trust_claims import Told, is_commit

BRANCH = "refs/heads/"
OWN_WORKFLOWS = ".github/workflows/"
ANY_RUNNER = "any"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a token is wanted for: rows of the registry, and the repository's default branch as GitHub says it now."""

    application: Application
    environment: Environment
    default_branch: str


class Step(NamedTuple):
    """One comparison. `values` are for the sentence of its code."""

    holds: bool
    code: Code
    claim: str
    values: Mapping[str, str] = {}


class Run(NamedTuple):
    """What is left of a token that fits: ids."""

    commit: str
    run_id: int
    run_attempt: int
    actor_id: int


class Rule(Protocol):
    """What `bot.domain.trust` needs of a rule."""

    @property
    def name(self) -> str: ...
    @property
    def stages(self) -> frozenset[Stage]: ...
    @property
    def applications(self) -> frozenset[str]: ...
    @property
    def branches(self) -> tuple[str, ...]: ...
    def steps(self, told: Told, asked: Asked) -> Iterator[Step]:
        """Every comparison, in order; the caller stops at the first that does not hold."""
        ...

    def run(self, told: Told) -> Run: ...


def identity(profile: Profile, told: Told, asked: Asked) -> Iterator[Step]:
    """What no rule can allow otherwise: whose repository it is, and which environment the job stands in."""
    application, environment = asked.application, asked.environment
    here = environment.application_id == application.id
    if profile is Profile.GITHUB:
        of_repository = told["repository_id"] == str(application.repository_id)
        yield Step(of_repository, Code.TRUST_REPOSITORY, "repository_id")
        of_owner = told["repository_owner_id"] == str(application.owner_id)
        yield Step(of_owner, Code.TRUST_OWNER, "repository_owner_id")
    if profile is not Profile.AZURE_DEVOPS:
        yield Step("environment" in told, Code.TRUST_ENVIRONMENT_MISSING, "environment")
        # Exactly: case, width and script make another name, and another environment at GitHub too (rule 34).
        here = here and told["environment"] == environment.github_name
    yield Step(here, Code.TRUST_ENVIRONMENT, "environment")


def on_branch(ref: str, branches: tuple[str, ...], default_branch: str) -> bool:
    """Whether a full ref is one of these branches; without any, the default branch. Never a tag or pull request."""
    branch = ref.removeprefix(BRANCH)
    if branch == ref or not branch:
        return False
    for each in branches or (default_branch,):
        if each.endswith("/*"):
            if branch.startswith(each[:-1]) and len(branch) >= len(each):
                return True
        elif branch == each:
            return True
    return False


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """A workflow file that may ask. Without `repository` it is the application's own, on an allowed branch."""

    path: str
    repository: str = ""
    ref: str = ""
    """Of another repository: 40 hexadecimal digits, or a full ref."""

    @property
    def pinned(self) -> bool:
        """Whether nobody can change what it does."""
        return is_commit(self.ref)

    def step(self, told: Told, branches: tuple[str, ...], default_branch: str) -> Step:
        """Whether the job runs this file. The repository's name in it is proven by its id, which was compared."""
        said = told["job_workflow_ref"]
        if not self.repository:
            prefix = f"{told['repository']}/{self.path}@"
            own = said.startswith(prefix) and on_branch(said.removeprefix(prefix), branches, default_branch)
            return Step(own, Code.TRUST_WORKFLOW, "job_workflow_ref")
        if said != f"{self.repository}/{self.path}@{self.ref}":
            return Step(False, Code.TRUST_WORKFLOW, "job_workflow_ref")
        right = not self.pinned or told.get("job_workflow_sha") == self.ref
        return Step(right, Code.TRUST_WORKFLOW, "job_workflow_sha")


def _any_own(told: Told, branches: tuple[str, ...], default_branch: str) -> Step:
    """Whether the job runs a workflow file of its own repository, from an allowed branch."""
    prefix = f"{told['repository']}/{OWN_WORKFLOWS}"
    said = told["job_workflow_ref"]
    file, _, ref = said.removeprefix(prefix).partition("@")
    own = said.startswith(prefix) and bool(file) and "/" not in file and on_branch(ref, branches, default_branch)
    return Step(own, Code.TRUST_WORKFLOW, "job_workflow_ref")


def _covers(rule: Rule, asked: Asked) -> Step:
    here = not rule.applications or asked.application.id in rule.applications
    return Step(here and asked.environment.stage in rule.stages, Code.TRUST_NO_RULE, "environment")


@dataclass(frozen=True, kw_only=True)
class GitHubRule:
    """Who may ask among the workflows of GitHub. The repository is the application's, by its id."""

    name: str
    stages: frozenset[Stage]
    applications: frozenset[str] = frozenset()
    """Empty: every registered one."""
    events: frozenset[str]
    branches: tuple[str, ...] = ()
    """Empty: the default branch."""
    workflows: tuple[Workflow, ...] = ()
    """Empty: any file of the application's own repository."""
    runner: str

    def steps(self, told: Told, asked: Asked) -> Iterator[Step]:
        yield _covers(self, asked)
        event, ref = told["event_name"], told["ref"]
        yield Step(event in self.events, Code.TRUST_EVENT, "event_name", {"word": event})
        yield Step(told["ref_type"] == "branch", Code.TRUST_REF, "ref_type", {"branch": ref})
        yield Step(on_branch(ref, self.branches, asked.default_branch), Code.TRUST_REF, "ref", {"branch": ref})
        tried = [each.step(told, self.branches, asked.default_branch) for each in self.workflows]
        tried = tried or [_any_own(told, self.branches, asked.default_branch)]
        # Of several that do not fit, the one whose name fits is the one that was meant.
        yield max(tried, key=lambda step: (step.holds, step.claim == "job_workflow_sha"))
        yield Step(self.runner in (ANY_RUNNER, told["runner_environment"]), Code.TRUST_RUNNER, "runner_environment")

    def run(self, told: Told) -> Run:
        return Run(told["sha"], int(told["run_id"]), int(told["run_attempt"]), int(told["actor_id"]))


@dataclass(frozen=True, kw_only=True)
class AzureDevOpsRule:
    """One pipeline of Azure DevOps. Its token names no environment and no audience of ours: ids are all there is."""

    name: str
    stages: frozenset[Stage]
    applications: frozenset[str]
    branches: tuple[str, ...] = ()
    organisation: str
    project: str
    definition: str
    repository: str
    """A GUID where the code is in Azure Repos, `owner/name` where it is at GitHub."""

    def steps(self, told: Told, asked: Asked) -> Iterator[Step]:
        yield _covers(self, asked)
        # All organisations share their signing keys: which one it is stands in the issuer and here.
        yield Step(told["org_id"] == self.organisation, Code.TRUST_PROJECT, "org_id")
        yield Step(told["prj_id"] == self.project, Code.TRUST_PROJECT, "prj_id")
        yield Step(told["def_id"] == self.definition, Code.TRUST_PROJECT, "def_id")
        yield Step(told["rpo_id"] == self.repository, Code.TRUST_PROJECT, "rpo_id")
        ref = told["rpo_ref"]
        yield Step(on_branch(ref, self.branches, asked.default_branch), Code.TRUST_REF, "rpo_ref", {"branch": ref})

    def run(self, told: Told) -> Run:
        """A pipeline's token counts no attempts and names no account."""
        return Run(told["rpo_ver"], int(told["run_id"]), 1, 0)


@dataclass(frozen=True, kw_only=True)
class GitLabRule:
    """One project of a GitLab. The environment is the job's own."""

    name: str
    stages: frozenset[Stage]
    applications: frozenset[str]
    events: frozenset[str]
    branches: tuple[str, ...] = ()
    host: str
    """Of the issuer, as `ci_config_ref_uri` begins."""
    project: str
    namespace: str
    protected: bool
    """Whether only protected branches count."""
    workflows: tuple[str, ...] = field(default=())
    runner: str

    def steps(self, told: Told, asked: Asked) -> Iterator[Step]:
        yield _covers(self, asked)
        yield Step(told["project_id"] == self.project, Code.TRUST_PROJECT, "project_id")
        yield Step(told["namespace_id"] == self.namespace, Code.TRUST_PROJECT, "namespace_id")
        event, ref = told["pipeline_source"], told["ref_path"]
        yield Step(event in self.events, Code.TRUST_EVENT, "pipeline_source", {"word": event})
        yield Step(told["ref_type"] == "branch", Code.TRUST_REF, "ref_type", {"branch": ref})
        yield Step(on_branch(ref, self.branches, asked.default_branch), Code.TRUST_REF, "ref_path", {"branch": ref})
        safe = not self.protected or told["ref_protected"] == "true"
        yield Step(safe, Code.TRUST_REF, "ref_protected", {"branch": ref})
        # The project's path in it is proven by its id, which was compared.
        files = {f"{self.host}/{told['project_path']}//{path}@{ref}" for path in self.workflows}
        yield Step(told["ci_config_ref_uri"] in files, Code.TRUST_WORKFLOW, "ci_config_ref_uri")
        yield Step(self.runner in (ANY_RUNNER, told["runner_environment"]), Code.TRUST_RUNNER, "runner_environment")

    def run(self, told: Told) -> Run:
        """A pipeline that is tried again gets a new token with the same id; GitLab counts no attempts."""
        return Run(told["sha"], int(told["pipeline_id"]), 1, 0)
