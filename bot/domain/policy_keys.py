"""The keys of a policy as people write them, in `config/policy.yml` and under `policy:` in `.github/miso.yml`.

The same models serve both files, the JSON Schemas for editors and the page about the keys. `policy_file` and
`repository_config` read them; `tightness` compares them. What a key means for a decision is for `bot.domain.policy`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from bot.domain.identity import Role
from bot.domain.model import ProbeKind, Stage
from bot.domain.policy_forms import HOUR, LIST, Branch, Guid, Ids, Registry, StageWord, distinct, lasting
from bot.domain.policy_parts import (
    AvailabilityKeys,
    CheckKeys,
    FreezeKeys,
    GroupKeys,
    Keys,
    People,
    RoleKeys,
    key,
    plain,
)
from bot.domain.rules import Concurrency, Policy
from bot.domain.yaml_lines import Path

RENAMED: Mapping[str, str] = {"request_permission": "request", "approve_permission": "approve"}
"""Keys of earlier versions, and what they are called now."""


RoleName = Annotated[Role, Field(strict=False)]


class Override(Keys):
    """What is demanded in one stage. Every key may be left out."""

    approvals: Annotated[int, Field(ge=0, le=10)] = key(
        0,
        "How many people must approve. Whoever wrote, committed, pushed, merged or requested any of it does"
        " not count. Production needs at least 1.",
    )
    groups: Annotated[tuple[GroupKeys, ...], Field(max_length=10), LIST, distinct(lambda g: g.name, "group")] = key(
        (),
        "Of whom so many must be of these people.",
        examples=[[{"name": "security", "count": 1, "teams": [42]}]],
    )
    request: People = key("write", "Who may ask for a promotion.")
    approve: People = key("write", "Who may approve.", examples=[{"role": "write", "teams": [42]}])
    rollback: People = key(
        "write", "Who may go back to an earlier release without a second person. Left out: as `approve`."
    )
    approval_hours: Annotated[int, Field(ge=1, le=8760)] = key(168, "How many hours an approval counts.")
    unknown_author_needs: Annotated[int, Field(ge=-1, le=10)] = key(
        1, "Further approvers when an author is unknown; -1 refuses such a release."
    )
    registries: Annotated[tuple[Registry, ...], Field(max_length=50), LIST] = key(
        (),
        "Hosts that images may come from; `public` stands for the well-known public ones. Empty: every host"
        " of `MISO_REGISTRIES`, which counts in any case.",
        examples=[["public", "example.azurecr.io"]],
    )
    checks: Annotated[tuple[CheckKeys, ...], Field(max_length=50), LIST, distinct(lambda c: c.check(), "check")] = key(
        (),
        "Check runs that must have succeeded on the commit.",
        examples=[[{"name": "trivy", "app": 15368}]],
    )
    soak: Annotated[int, lasting("0m", "90d")] = key(
        "0m", "How long the release must have been healthy one stage earlier.", examples=["2h"]
    )
    branches: Annotated[tuple[Branch, ...], Field(max_length=50), LIST] = key(
        (),
        "Branches whose builds may come here, `release/*` for all below. Empty: the default branch only.",
        examples=[["main", "release/*"]],
    )
    open_pull_requests: bool = key(False, "Whether builds of open pull requests may come here. Dev only.")
    freezes: Annotated[tuple[FreezeKeys, ...], Field(max_length=10), LIST, distinct(lambda f: f.name, "freeze")] = key(
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
    concurrency: Annotated[Concurrency, Field(strict=False)] = key(
        "supersede",
        "What happens to a request that has not begun when a newer one comes: `supersede` ends it, `queue`"
        " lets each wait its turn.",
    )
    wait: Annotated[int, lasting("1h", "90d", HOUR)] = key("72h", "A request that nobody decided ends after this.")
    remind: Annotated[int, lasting("1h", "90d", HOUR)] = key("24h", "So often whoever can act is reminded meanwhile.")
    availability: AvailabilityKeys = Field(
        default_factory=AvailabilityKeys,
        description="How many instances and zones the environment must have.",
        examples=[{"instances": 2, "zones": 2}],
    )
    auto_promote: bool = key(False, "Whether Miso asks by itself once dev is healthy, soaked and validated. Test only.")
    probe: Annotated[ProbeKind, Field(strict=False)] = key(
        "platform", "The weakest evidence of health that is accepted: Azure's word, or our own request too."
    )
    keep_on_identical: bool = key(False, "Whether approvals carry over to a newer commit with the very same tree.")
    break_glass: bool = key(True, "Whether two people may go past some rules, with a reason.")
    device_approvals: bool = key(
        False,
        "Whether somebody who signed in at the command line, by a code typed in a browser, may approve production."
        " Elsewhere they may in any case.",
    )

    @property
    def said(self) -> frozenset[str]:
        """The keys that stand in the text; only these count."""
        return frozenset(self.model_fields_set & set(Override.model_fields))

    def changes(self) -> dict[str, Any]:
        """What was said, as attributes of `Policy`. Who may roll back follows who may approve unless it was said."""
        found: dict[str, Any] = {}
        for name in sorted(self.said):
            value = getattr(self, name)
            if isinstance(value, AvailabilityKeys):
                parts = value.model_fields_set
                found |= {f"min_{part}": getattr(value, part) for part in parts}
            else:
                found[_ATTRIBUTES.get(name, name)] = plain(value)
        if "approve" in found:
            found.setdefault("rollback", found["approve"])
        return found


_ATTRIBUTES: Mapping[str, str] = {"soak": "soak_minutes", "wait": "wait_hours", "remind": "remind_hours"}
"""Keys that are called otherwise in `Policy`."""


class EnvironmentKeys(Override):
    """One environment: its stage, and the keys that differ from the stage's."""

    stage: StageWord = Field(description="The stage that the environment is registered with.")


class PolicyKeys(Keys):
    """The operator's policy: who may do what in each stage."""

    model_config = ConfigDict(title="Miso policy")

    administrators: Ids = key(
        (),
        "Numeric GitHub ids of those who may loosen production. Two of them must agree.",
        examples=[[1001, 1002]],
    )
    operators: People = key(
        "maintain",
        "Who may lift holds and bans, take off others' locks and cancel others' requests.",
    )
    clear_people: Annotated[int, Field(ge=1, le=5)] = key(2, "How many operators must agree to lift a hold or a ban.")
    break_glass_minutes: Annotated[int, Field(ge=5, le=1440)] = key(
        60, "A break-glass request that nobody approved within so many minutes ends."
    )
    roles: Mapping[RoleName, RoleKeys] = Field(
        default_factory=dict,
        description="Who has a role beside those to whom GitHub gives it: `viewer`, `developer`, `deployer`,"
        " `approver`, `operator`, `auditor`, `administrator`. Whatever concerns a repository's releases needs write"
        " access to it as well. An administrator by role links people and revokes tokens; to agree to a policy takes"
        " `administrators`.",
        examples=[{"auditor": {"groups": ["7f0c5b2e-8f3d-4c58-9a51-0c3a6a2f9f10"]}}],
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
    last = str(path[-1])
    if last in RENAMED:
        return f"it is called `{RENAMED[last]}` now"
    close = difflib.get_close_matches(last, _KNOWN, n=1)
    return f"did you mean {close[0]}?" if close else "docs/policy.md lists them all"


_KNOWN = sorted(
    {
        field.alias or name
        for model in (PolicyKeys, EnvironmentKeys, GroupKeys, CheckKeys, FreezeKeys, AvailabilityKeys, RoleKeys)
        for name, field in model.model_fields.items()
    }
)


def policy_of(*texts: Override) -> Policy:
    """The policy that these say together; a later one counts before an earlier one, key by key."""
    said: dict[str, Any] = {}
    for text in texts:
        said |= {name: getattr(text, name) for name in text.said}
    return Policy(**Override.model_construct(_fields_set=set(said), **said).changes())
