"""The keys of a policy as people write them, in `config/policy.yml` and under `policy:` in `.github/miso.yml`.

The same models serve both files, the JSON Schemas for editors and the page about the keys. `policy_file` and
`repository_config` read them; `tightness` compares them. What a key means for a decision is for `bot.domain.policy`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bot.domain import freezes
from bot.domain.model import ProbeKind, Stage
from bot.domain.policy_forms import (
    HOUR,
    LIST,
    Branch,
    Day,
    Guid,
    Ids,
    Name,
    Registry,
    Role,
    StageWord,
    distinct,
    lasting,
    role_alone,
)
from bot.domain.rules import Concurrency, Freeze, Group, Policy, RequiredCheck, Who
from bot.domain.yaml_lines import Path

RENAMED: Mapping[str, str] = {"request_permission": "request", "approve_permission": "approve"}
"""Keys of earlier versions, and what they are called now."""


def _key(default: Any, meaning: str, **more: Any) -> Any:
    """A key with its default as a person would write it."""
    return Field(default, description=meaning, **more)


class Keys(BaseModel):
    """Strict and whole: a key that is not known is a fault, never ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_default=True)


class WhoKeys(Keys):
    """Some people: a role in the repository, and where teams or users are named, only those."""

    role: Role = _key("write", "Least repository role.")
    teams: Ids = _key((), "Numeric ids of GitHub teams.")
    users: Ids = _key((), "Numeric ids of GitHub accounts.")

    def who(self) -> Who:
        return Who(role=self.role, teams=self.teams, users=self.users)


People = Annotated[WhoKeys, BeforeValidator(role_alone, json_schema_input_type=Role | WhoKeys)]


class GroupKeys(WhoKeys):
    """Some of the approvers must be of these people."""

    name: Name
    count: Annotated[int, Field(ge=1, le=10)] = _key(1, "How many of them must approve.")

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if not self.model_fields_set & {"role", "teams", "users"}:
            raise ValueError("must say who is meant: teams, users or role")
        return self

    def group(self) -> Group:
        return Group(name=self.name, count=self.count, who=self.who())


class CheckKeys(Keys):
    """A check run by its name and the App that made it: a name alone could be anybody's."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    app: Annotated[int, Field(gt=0)] = Field(description="Numeric id of the GitHub App.")

    def check(self) -> RequiredCheck:
        return RequiredCheck(name=self.name, app_id=self.app)


class FreezeKeys(Keys):
    """A time in which nothing is promoted, in wall clock of its zone."""

    name: Name
    starts: Annotated[str, AfterValidator(freezes.starts_at)] = Field(
        description="Begin of the first occurrence.", examples=["2026-12-24T18:00"]
    )
    lasts: Annotated[int, lasting("1m", "366d")] = Field(description="How long each occurrence lasts.")
    zone: Annotated[str, AfterValidator(freezes.zone_named)] = Field("UTC", examples=["Europe/Berlin"])
    repeats: Annotated[
        str, Field(max_length=200), AfterValidator(lambda text: freezes.rule_of(text) if text else "")
    ] = _key("", "Recurrence rule (RFC 5545); left out: once.", examples=["FREQ=WEEKLY;BYDAY=FR"])
    exceptions: Annotated[tuple[Day, ...], Field(max_length=100), LIST] = Field(
        (), alias="except", description="Days on which an occurrence does not begin.", examples=[["2026-12-25"]]
    )
    reason: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="after")
    def _happens(self) -> Self:
        if freezes.never(self.freeze()):
            raise ValueError("never happens: no day fits `repeats`")
        return self

    def freeze(self) -> Freeze:
        return Freeze(
            name=self.name,
            starts=self.starts,
            minutes=self.lasts,
            zone=self.zone,
            repeats=self.repeats,
            exceptions=self.exceptions,
            reason=self.reason,
        )


class AvailabilityKeys(Keys):
    """What the environment must have of Azure."""

    instances: Annotated[int, Field(ge=1, le=100)] = 1
    zones: Annotated[int, Field(ge=1, le=10)] = 1


class Override(Keys):
    """What may be said about one stage. Only keys that were said count (`changes`)."""

    approvals: Annotated[int, Field(ge=0, le=10)] = _key(
        0,
        "How many people must approve. Whoever wrote, committed, pushed, merged or requested any of it does"
        " not count. Production needs at least 1.",
    )
    groups: Annotated[tuple[GroupKeys, ...], Field(max_length=10), LIST, distinct(lambda g: g.name, "group")] = _key(
        (),
        "Of whom so many must be of these people.",
        examples=[[{"name": "security", "count": 1, "teams": [42]}]],
    )
    request: People = _key("write", "Who may ask for a promotion.")
    approve: People = _key("write", "Who may approve.", examples=[{"role": "write", "teams": [42]}])
    rollback: People = _key(
        "write", "Who may go back to an earlier release without a second person. Left out: as `approve`."
    )
    approval_hours: Annotated[int, Field(ge=1, le=8760)] = _key(168, "How many hours an approval counts.")
    unknown_author_needs: Annotated[int, Field(ge=-1, le=10)] = _key(
        1, "Further approvers when an author is unknown; -1 refuses such a release."
    )
    registries: Annotated[tuple[Registry, ...], Field(max_length=50), LIST] = _key(
        (),
        "Hosts that images may come from; `public` stands for the well-known public ones. Empty: every host"
        " of `MISO_REGISTRIES`, which counts in any case.",
        examples=[["public", "example.azurecr.io"]],
    )
    checks: Annotated[tuple[CheckKeys, ...], Field(max_length=50), LIST, distinct(lambda c: c.check(), "check")] = _key(
        (),
        "Check runs that must have succeeded on the commit.",
        examples=[[{"name": "trivy", "app": 15368}]],
    )
    soak: Annotated[int, lasting("0m", "90d")] = _key(
        "0m", "How long the release must have been healthy one stage earlier.", examples=["2h"]
    )
    branches: Annotated[tuple[Branch, ...], Field(max_length=50), LIST] = _key(
        (),
        "Branches whose builds may come here, `release/*` for all below. Empty: the default branch only.",
        examples=[["main", "release/*"]],
    )
    open_pull_requests: bool = _key(False, "Whether builds of open pull requests may come here. Dev only.")
    freezes: Annotated[tuple[FreezeKeys, ...], Field(max_length=20), LIST, distinct(lambda f: f.name, "freeze")] = _key(
        (),
        "Times in which nothing is promoted.",
        examples=[
            [
                {
                    "name": "weekend",
                    "starts": "2026-01-02T18:00",
                    "lasts": "60h",
                    "zone": "Europe/Berlin",
                    "repeats": "FREQ=WEEKLY;BYDAY=FR",
                    "except": ["2026-12-25"],
                    "reason": "nobody is on call",
                }
            ]
        ],
    )
    concurrency: Annotated[Concurrency, Field(strict=False)] = _key(
        "supersede",
        "What happens to a request that has not begun when a newer one comes: `supersede` ends it, `queue`"
        " lets each wait its turn.",
    )
    wait: Annotated[int, lasting("1h", "90d", HOUR)] = _key("72h", "A request that nobody decided ends after this.")
    remind: Annotated[int, lasting("1h", "90d", HOUR)] = _key("24h", "So often whoever can act is reminded meanwhile.")
    availability: AvailabilityKeys = Field(
        default_factory=AvailabilityKeys,
        description="How many instances and zones the environment must have.",
        examples=[{"instances": 2, "zones": 2}],
    )
    auto_promote: bool = _key(
        False, "Whether Miso asks by itself once dev is healthy, soaked and validated. Test only."
    )
    probe: Annotated[ProbeKind, Field(strict=False)] = _key(
        "platform", "The weakest evidence of health that is accepted: Azure's word, or our own request too."
    )
    keep_on_identical: bool = _key(False, "Whether approvals carry over to a newer commit with the very same tree.")
    break_glass: bool = _key(True, "Whether two people may go past some rules, with a reason.")

    @property
    def said(self) -> frozenset[str]:
        """The keys that stand in the text."""
        return frozenset(self.model_fields_set & set(Override.model_fields))

    def changes(self) -> dict[str, Any]:
        """What was said, as attributes of `Policy`. Who may roll back follows who may approve unless it was said."""
        found: dict[str, Any] = {}
        for key in sorted(self.said):
            value = getattr(self, key)
            if isinstance(value, AvailabilityKeys):
                parts = value.model_fields_set
                found |= {f"min_{part}": getattr(value, part) for part in parts}
            else:
                found[_ATTRIBUTES.get(key, key)] = _plain(value)
        if "approve" in found:
            found.setdefault("rollback", found["approve"])
        return found


_ATTRIBUTES: Mapping[str, str] = {"soak": "soak_minutes", "wait": "wait_hours", "remind": "remind_hours"}
"""Keys that are called otherwise in `Policy`."""


def _plain(value: Any) -> Any:
    match value:
        case tuple():
            return tuple(_plain(item) for item in value)
        case GroupKeys():
            return value.group()
        case WhoKeys():
            return value.who()
        case CheckKeys():
            return value.check()
        case FreezeKeys():
            return value.freeze()
        case _:
            return value


class EnvironmentKeys(Override):
    """One environment: its stage, and the keys that differ from the stage's."""

    stage: StageWord = Field(description="The stage that the environment is registered with.")


class PolicyKeys(Keys):
    """The operator's policy: who may do what in each stage."""

    model_config = ConfigDict(title="Miso policy")

    administrators: Ids = _key(
        (),
        "Numeric GitHub ids of those who may loosen production. Two of them must agree.",
        examples=[[1001, 1002]],
    )
    operators: People = _key(
        "maintain",
        "Who may lift holds and bans, take off others' locks and cancel others' requests.",
    )
    clear_people: Annotated[int, Field(ge=1, le=5)] = _key(2, "How many operators must agree to lift a hold or a ban.")
    break_glass_minutes: Annotated[int, Field(ge=5, le=1440)] = _key(
        60, "A break-glass request that nobody approved within so many minutes ends."
    )
    stages: Mapping[Stage, Override] = Field(
        description="One policy each for `dev`, `test` and `production`; `development`, `tst`, `testing`, `prod` and"
        " `pro` are understood too. A stage without one refuses all."
    )
    environments: Mapping[Guid, EnvironmentKeys] = Field(
        default_factory=dict,
        description="By GUID of a registered environment: its stage, and the keys that differ from the stage's. They"
        " may be looser, too.",
    )


def spelling(path: Path) -> str:
    """Advice for a key that is not known."""
    key = str(path[-1])
    if key in RENAMED:
        return f"it is called `{RENAMED[key]}` now"
    close = difflib.get_close_matches(key, _KNOWN, n=1)
    return f"did you mean {close[0]}?" if close else "docs/policy.md lists them all"


_KNOWN = sorted(
    {
        field.alias or name
        for model in (PolicyKeys, EnvironmentKeys, GroupKeys, CheckKeys, FreezeKeys, AvailabilityKeys)
        for name, field in model.model_fields.items()
    }
)


def policy_of(*texts: Override) -> Policy:
    """The policy that these say together; a later one counts before an earlier one, key by key."""
    said: dict[str, Any] = {}
    for text in texts:
        said |= {key: getattr(text, key) for key in text.said}
    return Policy(**Override.model_construct(_fields_set=set(said), **said).changes())
