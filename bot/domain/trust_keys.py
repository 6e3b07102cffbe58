"""The keys of a file in `config/trust` as people write them: an issuer, and the rules by which its tokens are judged.

The same models serve the reader (`bot.domain.trust_file`), the JSON Schema for editors and the page about the keys.
Each knows the value of `bot.domain.trust` that it means.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from bot.domain import trust_forms as forms
from bot.domain.claims import Profile
from bot.domain.model import STAGE_ALIASES, Stage
from bot.domain.policy_forms import LIST, Branch, Guid, Name, distinct
from bot.domain.policy_parts import Keys, key
from bot.domain.trust import IssuerTrust
from bot.domain.trust_rules import AzureDevOpsRule, GitHubRule, GitLabRule
from bot.domain.yaml_lines import Path

FIXED_AUDIENCE = "api://AzureADTokenExchange"
"""What every token of Azure DevOps is meant for, whoever asked for it."""


def _stage(value: object) -> object:
    stage = STAGE_ALIASES.get(value) if isinstance(value, str) else None
    if stage is None:
        raise ValueError(f"must be one of {', '.join(Stage)}")
    return stage


def _some(items: tuple[object, ...]) -> tuple[object, ...]:
    if not items:
        raise ValueError("must name at least one")
    return items


def _of_organisation(value: str) -> str:
    forms.organisation(forms.issuer(value))
    return value


def _word(value: str) -> str:
    """An entry of a list that is compiled later: checked here, kept as it was written."""
    forms.workflow(value)
    return value


SOME = AfterValidator(_some)
StageName = Annotated[
    Stage,
    BeforeValidator(_stage, json_schema_input_type=Annotated[str, Field(json_schema_extra={"enum": [*STAGE_ALIASES]})]),
]
Stages = Annotated[tuple[StageName, ...], LIST, distinct(lambda stage: stage, "stage"), SOME]
Guids = Annotated[tuple[Guid, ...], Field(max_length=200), LIST, distinct(lambda guid: guid, "application")]
Branches = Annotated[tuple[Branch, ...], Field(max_length=50), LIST, distinct(lambda branch: branch, "branch")]
Events = Annotated[tuple[Annotated[str, AfterValidator(forms.event)], ...], Field(max_length=30), LIST, SOME]
Workflows = Annotated[tuple[Annotated[str, AfterValidator(_word)], ...], Field(max_length=50), LIST]
PipelineFiles = Annotated[
    tuple[Annotated[str, AfterValidator(forms.pipeline_file)], ...], Field(max_length=50), LIST, SOME
]
Number = Annotated[int, Field(gt=0, lt=2**63)]

_APPLICATIONS = "GUIDs of the applications that it is for."
_BRANCHES = "Branches that the workflow may run on, `release/*` for all below. Empty: the application's default branch."


class RuleKeys(Keys):
    """What the rules of every profile have."""

    name: Name = Field(description="What it is called in answers and in the ledger.")
    environments: Stages = Field(
        description="Stages that it opens: `dev`, `test`, `production`.", examples=[["dev", "test"]]
    )

    @property
    def stages(self) -> frozenset[Stage]:
        return frozenset(self.environments)


ANYBODYS_EVENTS = frozenset(
    {
        "discussion",
        "discussion_comment",
        "fork",
        "issue_comment",
        "issues",
        "pull_request_target",
        "watch",
    }
)
"""Events of GitHub that people without any right to the repository can cause."""


class GitHubRuleKeys(RuleKeys):
    """Who may ask among the workflows of GitHub. Repository, owner and environment are the registry's, by id and name,
    and stand in no rule."""

    applications: Guids = key((), f"{_APPLICATIONS} Empty: every registered one.")
    events: Events = key(
        ("push", "workflow_dispatch", "workflow_run", "deployment"), "Events that may have started the run."
    )
    branches: Branches = key((), _BRANCHES, examples=[["main", "release/*"]])
    workflows: Workflows = key(
        (),
        "Workflow files that may ask: a path in the application's own repository, or a reusable workflow of another one"
        " at a commit. Empty: every workflow of the application's own repository, on those branches.",
        examples=[
            [
                ".github/workflows/deploy.yml",
                "acme/ci/.github/workflows/deploy.yml@4f2c1e0b7a6d5c3f9e8b7a6d5c4f3e2b1a0d9c8b",
            ]
        ],
    )
    runner: Literal["any", "github-hosted", "self-hosted"] = key("github-hosted", "Where the job may run.")

    @model_validator(mode="after")
    def _safe(self) -> Self:
        anybody = sorted(ANYBODYS_EVENTS.intersection(self.events))
        if anybody and Stage.PRODUCTION in self.environments:
            raise ValueError(f"{anybody[0]} can be caused by anybody, and is not possible for production")
        return self

    def rule(self, _issuer: str) -> GitHubRule:
        return GitHubRule(
            name=self.name,
            stages=self.stages,
            applications=frozenset(self.applications),
            events=frozenset(self.events),
            branches=self.branches,
            workflows=tuple(forms.workflow(each) for each in self.workflows),
            runner=self.runner,
        )


class AzureDevOpsRuleKeys(RuleKeys):
    """One pipeline of Azure DevOps. The token names no environment: the rule does."""

    applications: Annotated[Guids, SOME] = Field(description=_APPLICATIONS)
    project: Guid = Field(description="GUID of the project (`prj_id`).")
    definition: Number = Field(description="Number of the pipeline's definition (`def_id`).")
    repository: Annotated[str, AfterValidator(forms.azure_repository)] = Field(
        description="GUID of the repository in Azure Repos, or `owner/name` of one at GitHub (`rpo_id`)."
    )
    branches: Branches = key((), _BRANCHES)

    def rule(self, issuer: str) -> AzureDevOpsRule:
        return AzureDevOpsRule(
            name=self.name,
            stages=self.stages,
            applications=frozenset(self.applications),
            branches=self.branches,
            organisation=forms.organisation(issuer),
            project=self.project,
            definition=str(self.definition),
            repository=self.repository,
        )


class GitLabRuleKeys(RuleKeys):
    """One project of a GitLab. The job's `environment:` must be the registered one."""

    applications: Annotated[Guids, SOME] = Field(description=_APPLICATIONS)
    project: Number = Field(description="Number of the project (`project_id`).")
    namespace: Number = Field(description="Number of the group or person that owns it (`namespace_id`).")
    events: Events = key(("push", "web"), "What may have started the pipeline (`pipeline_source`).")
    branches: Branches = key((), _BRANCHES)
    protected: bool = key(True, "Whether the branch must be a protected one (`ref_protected`).")
    workflows: PipelineFiles = key((".gitlab-ci.yml",), "Files that may define the pipeline (`ci_config_ref_uri`).")
    runner: Literal["any", "gitlab-hosted", "self-hosted"] = key("gitlab-hosted", "Where the job may run.")

    def rule(self, issuer: str) -> GitLabRule:
        parts = urlsplit(issuer)
        return GitLabRule(
            name=self.name,
            stages=self.stages,
            applications=frozenset(self.applications),
            events=frozenset(self.events),
            branches=self.branches,
            host=parts.netloc + parts.path,
            project=str(self.project),
            namespace=str(self.namespace),
            protected=self.protected,
            workflows=self.workflows,
            runner=self.runner,
        )


RULES = (Field(max_length=200), LIST, distinct(lambda rule: rule.name, "rule"))
_RULES = "The first that fits counts. None: nobody gets a token."
Host = Annotated[str, AfterValidator(forms.host)]
Audience = Annotated[str, Field(max_length=200), AfterValidator(forms.audience)]


class IssuerKeys(Keys):
    """One issuer of ID tokens. Its file is the whole of what Miso knows of it."""

    issuer: Annotated[str, Field(max_length=300), AfterValidator(forms.issuer)] = Field(
        description="Exactly as `iss` says it: https, host in lower case, no slash at the end.",
        examples=["https://token.actions.githubusercontent.com"],
    )
    audience: Audience = key(
        "", "Left out: the audience of this Miso, which is better wherever the issuer lets a workflow choose."
    )
    jwks_host: Host = key("", "Host that may serve the issuer's keys beside its own.", examples=["keys.example.com"])
    enabled: bool = key(True, "Whether anybody listens to it.")


class GitHubIssuerKeys(IssuerKeys):
    """GitHub Actions: of github.com, of an enterprise, of GitHub Enterprise Server, with data residency."""

    model_config = ConfigDict(title="GitHub Actions")

    profile: Literal["github"] = Field(description="`github`")
    rules: Annotated[tuple[GitHubRuleKeys, ...], *RULES] = Field(description=_RULES)


class AzureDevOpsIssuerKeys(IssuerKeys):
    """One organisation of Azure DevOps. Written from the vendor's page, not seen live."""

    model_config = ConfigDict(title="Azure DevOps")

    issuer: Annotated[str, Field(max_length=300), AfterValidator(_of_organisation)] = Field(
        description="Exactly as `iss` says it; it ends with the organisation's GUID.",
        examples=["https://vstoken.dev.azure.com/11111111-2222-4333-8444-555555555555"],
    )
    audience: Audience = key(FIXED_AUDIENCE, "The same for everybody, whoever asked for the token.")
    profile: Literal["azure_devops"] = Field(description="`azure_devops`")
    rules: Annotated[tuple[AzureDevOpsRuleKeys, ...], *RULES] = Field(description=_RULES)


class GitLabIssuerKeys(IssuerKeys):
    """gitlab.com or one's own GitLab. Written from the vendor's page, not seen live."""

    model_config = ConfigDict(title="GitLab")

    profile: Literal["gitlab"] = Field(description="`gitlab`")
    rules: Annotated[tuple[GitLabRuleKeys, ...], *RULES] = Field(description=_RULES)


AnyIssuer = GitHubIssuerKeys | AzureDevOpsIssuerKeys | GitLabIssuerKeys
ISSUERS: Mapping[str, type[AnyIssuer]] = {
    Profile.GITHUB: GitHubIssuerKeys,
    Profile.AZURE_DEVOPS: AzureDevOpsIssuerKeys,
    Profile.GITLAB: GitLabIssuerKeys,
}


def trust_of(keys: AnyIssuer) -> IssuerTrust:
    """What the keys mean."""
    return IssuerTrust(
        issuer=keys.issuer,
        profile=Profile(keys.profile),
        audience=keys.audience,
        jwks_host=keys.jwks_host,
        rules=tuple(each.rule(keys.issuer) for each in keys.rules),
    )


def spelling(path: Path) -> str:
    """Advice for a key that is not known."""
    close = difflib.get_close_matches(str(path[-1]), _KNOWN, n=1)
    return f"did you mean {close[0]}?" if close else "docs/trust.md lists them all"


_KNOWN = sorted(
    {
        name
        for model in (*ISSUERS.values(), GitHubRuleKeys, AzureDevOpsRuleKeys, GitLabRuleKeys)
        for name in model.model_fields
    }
)
