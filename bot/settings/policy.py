"""`config/policy.yml`: who may do what in each stage. Text in, `Policy` by stage out, all faults with their lines.

Used by `bot.settings.loading`. A stage that the file does not name has no policy, and a stage without one refuses all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.domain.model import STAGE_ALIASES, Stage
from bot.domain.rules import Policy

Role = Literal["write", "maintain", "admin"]
Path = tuple[int | str, ...]


class PolicyOfStage(BaseModel):
    """One stage, as it is written in the file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    approvals: Annotated[int, Field(ge=0, le=10)] = Field(
        0, description="How many people must approve, none of them author, committer, requester or merger."
    )
    request_permission: Role = Field("write", description="Least repository role for asking.")
    approve_permission: Role = Field("write", description="Least repository role for approving.")
    approval_hours: Annotated[int, Field(ge=1, le=8760)] = Field(168, description="How long an approval counts.")
    unknown_author_needs: Annotated[int, Field(ge=-1, le=10)] = Field(
        1, description="Further approvers when an author is unknown; -1 refuses such a release."
    )


def read(text: str, name: str = "policy.yml") -> tuple[Mapping[Stage, Policy], tuple[str, ...]]:
    """The policies, and what is wrong with the file: `policy.yml:12: stages.production.approvals: …`."""
    lines: dict[Path, int] = {}
    faults: list[str] = []
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        return {}, (f"{name}:{mark.line + 1 if mark else 1}: this is not YAML ({getattr(fault, 'problem', fault)})",)
    _lines(root, (), lines, faults, name)
    stages = document.get("stages") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(stages, dict):
        return {}, (f"{name}:1: it must hold `stages:`, with a policy for each of {', '.join(Stage)}",)
    strangers = [key for key in document if key != "stages"]
    faults += [f"{name}:{lines.get((key,), 1)}: '{key}' is not known here; only `stages` is" for key in strangers]
    policies: dict[Stage, Policy] = {}
    for key, body in stages.items():
        line = lines.get(("stages", key), 1)
        stage = STAGE_ALIASES.get(str(key))
        if stage is None:
            faults.append(f"{name}:{line}: '{key}' is no stage; there are {', '.join(Stage)}")
        elif stage in policies:
            faults.append(f"{name}:{line}: '{key}' is a second policy for {stage}")
        else:
            policies[stage] = _stage(stage, body, ("stages", key), lines, faults, name)
    faults += [
        f"{name}: there is no policy for {stage}; nothing would be allowed there"
        for stage in Stage
        if stage not in policies and not faults
    ]
    return policies, tuple(faults)


def _stage(
    stage: Stage, body: object, at: Path, lines: Mapping[Path, int], faults: list[str], name: str
) -> Policy:
    try:
        read = PolicyOfStage.model_validate(body)
    except ValidationError as fault:
        for error in fault.errors(include_input=False, include_url=False):
            path = (*at, *error["loc"])
            message = "this is not a known key" if error["type"] == "extra_forbidden" else error["msg"].lower()
            faults.append(f"{name}:{lines.get(path, lines.get(at, 1))}: {'.'.join(map(str, path))}: {message}")
        return Policy()
    if stage is Stage.PRODUCTION and read.approvals < 1:
        faults.append(f"{name}:{lines.get(at, 1)}: {'.'.join(map(str, at))}.approvals: production needs at least one")
    return Policy(**read.model_dump())


def _lines(node: yaml.Node | None, at: Path, lines: dict[Path, int], faults: list[str], name: str) -> None:
    """The line of each key, and a fault for each that stands twice (YAML would keep the last without a word)."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        path = (*at, key.value)
        if path in lines:
            faults.append(f"{name}:{key.start_mark.line + 1}: '{key.value}' stands there twice")
        lines[path] = key.start_mark.line + 1
        _lines(value, path, lines, faults, name)
