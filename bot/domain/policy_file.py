"""`config/policy.yml`: text in, `PolicySet` out, or every fault at once with its line.

Read by `bot.settings` at start; what a controller then decides by is the accepted version in the ledger
(`bot.services.policies`). A stage that the file does not name has no policy, and a stage without one refuses all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from bot.domain import yaml_lines
from bot.domain.catalog import parse_guid
from bot.domain.identity import Role
from bot.domain.model import STAGE_ALIASES, Stage
from bot.domain.policy_keys import EnvironmentKeys, Override, PolicyKeys, policy_of, spelling
from bot.domain.rules import Policy, PolicySet
from bot.domain.yaml_lines import ConfigFault, Document, Path, faults_of, ordered, renamed


def read(text: str, name: str = "policy.yml") -> tuple[PolicySet, tuple[str, ...]]:
    """The policies, and what is wrong: `policy.yml:12: stages.production.approvals: …`. Empty where anything is."""
    document = yaml_lines.read(text)
    if isinstance(document, tuple):
        return PolicySet(), _sentences(document, name)
    document = renamed(document, ("stages",), STAGE_ALIASES.get, wrong=_NO_STAGE, twice="is a second policy for")
    document = renamed(
        document, ("environments",), parse_guid, wrong="is not a GUID", twice="is a second policy for environment"
    )
    faults = list(document.faults)
    keys = None
    try:
        keys = PolicyKeys.model_validate(document.values)
    except ValidationError as error:
        faults += faults_of(error, document, (), spelling)
    faults += _contradictions(document)
    if keys is not None and not faults:
        faults += [
            ConfigFault(line=document.lines[("stages",)], path="stages", sentence=f"has no policy for {stage}")
            for stage in Stage
            if stage not in keys.stages
        ]
    if keys is None or faults:
        return PolicySet(), _sentences(ordered(faults), name)
    return _set(keys), ()


KeysT = TypeVar("KeysT", bound=Override)


def schema() -> dict[str, Any]:
    """JSON Schema for editors; `config/schemas/policy.yml.schema.json` holds it."""
    found = PolicyKeys.model_json_schema()
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    found["properties"]["stages"]["propertyNames"] = {"enum": list(STAGE_ALIASES)}
    found["properties"]["environments"]["propertyNames"] = {"format": "uuid"}
    stage = found["$defs"]["EnvironmentKeys"]["properties"]["stage"]
    found["$defs"]["EnvironmentKeys"]["properties"]["stage"] = {
        "description": stage["description"],
        "enum": list(STAGE_ALIASES),
    }
    del found["$defs"]["Stage"]
    return found


_NO_STAGE = f"is no stage; there are {', '.join(Stage)}"


def _set(keys: PolicyKeys) -> PolicySet:
    return PolicySet(
        stages={stage: policy_of(keys.stages[stage]) for stage in Stage},
        environments={guid: policy_of(keys.stages[own.stage], own) for guid, own in sorted(keys.environments.items())},
        environment_stages={guid: own.stage for guid, own in sorted(keys.environments.items())},
        administrators=keys.administrators,
        operators=keys.operators.who(),
        clear_people=keys.clear_people,
        break_glass_minutes=keys.break_glass_minutes,
        roles={role: keys.roles[role].members() for role in Role if role in keys.roles},
    )


def _contradictions(document: Document) -> Iterator[ConfigFault]:
    """What no key alone shows, in every part that could be read, whatever is wrong elsewhere."""
    stages: dict[str, Override] = {}
    for stage, body in _items(document, "stages"):
        text, broken = _read(Override, body)
        if text is not None:
            stages[stage] = text
            yield from _of_policy(document, ("stages", stage), Stage(stage), policy_of(text), broken)
    for guid, body in _items(document, "environments"):
        own, broken = _read(EnvironmentKeys, body)
        if own is not None and own.stage in stages:
            policy = policy_of(stages[own.stage], own)
            yield from _of_policy(document, ("environments", guid), own.stage, policy, broken)


def _of_policy(
    document: Document, at: Path, stage: Stage, policy: Policy, broken: frozenset[str]
) -> Iterator[ConfigFault]:
    """`broken`: keys that could not be read, so that nothing can be said about them."""
    if stage is Stage.PRODUCTION and policy.approvals < 1 and "approvals" not in broken:
        yield document.fault((*at, "approvals"), "production needs at least one")
    if policy.auto_promote and stage is not Stage.TEST:
        yield document.fault((*at, "auto_promote"), "is for test only")
    if policy.open_pull_requests and stage is not Stage.DEV:
        yield document.fault((*at, "open_pull_requests"), "is for dev only")
    for group in policy.groups:
        if group.count > policy.approvals and "approvals" not in broken:
            sentence = f"{group.name} wants {group.count} approvals, and approvals is {policy.approvals}"
            yield document.fault((*at, "groups"), sentence)


def _items(document: Document, key: str) -> list[tuple[str, object]]:
    inside = document.values.get(key)
    return list(inside.items()) if isinstance(inside, Mapping) else []


def _read(model: type[KeysT], body: object) -> tuple[KeysT | None, frozenset[str]]:
    """What can be read of it, and the keys that cannot."""
    broken: frozenset[str] = frozenset()
    while isinstance(body, Mapping):
        try:
            return model.model_validate(body), broken
        except ValidationError as error:
            wrong = {str(each["loc"][0]) for each in error.errors() if each["loc"]} & body.keys()
            if not wrong:
                break
            broken |= wrong
            body = {key: value for key, value in body.items() if key not in wrong}
    return None, broken


def _sentences(faults: tuple[ConfigFault, ...], name: str) -> tuple[str, ...]:
    return tuple(f"{name}:{fault.line}: {fault.path + ': ' if fault.path else ''}{fault.sentence}" for fault in faults)
