"""`.github/miso.yml`: the little that a repository may say about itself. Text in, configuration or all faults out.

Called by the verbs, with the file as it stands on the default branch (security rule 3), and for the pull request that
changes it (`check`). Nothing here names a place or an id of Azure: those are the registry's. What it says of a policy
only ever makes the installation's tighter (`bot.domain.tightness`). It reads no file and follows no reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.domain import tightness, yaml_lines
from bot.domain.model import STAGE_ALIASES, Stage
from bot.domain.policy_keys import Override, spelling
from bot.domain.rules import Policy
from bot.domain.yaml_lines import ConfigFault, Document, Path, faults_of, ordered, renamed

__all__ = ["PATH", "ConfigFault", "RepositoryConfig", "check", "parse", "schema", "tag_for"]

PATH = ".github/miso.yml"
_SHA = "{sha}"

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_HOST = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(rf"{_HOST}/{_PART}(?:/{_PART})*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_WORKFLOW = re.compile(r"\.github/workflows/[A-Za-z0-9._-]+\.ya?ml", re.ASCII)
# One slash only: "//host/" would be an address of its own. No "..", query, fragment, blank or percent sign either.
_HEALTH = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@/-]*", re.ASCII)


def _image(value: str) -> str:
    # Without a dot or a port the first part would be read as a repository of some default registry.
    if not _IMAGE.fullmatch(value) or not set(".:") & set(value.partition("/")[0]):
        raise ValueError("must be host and repository in lower case, without tag or digest, like registry.example/shop")
    return value


def _workflow(value: str) -> str:
    if not _WORKFLOW.fullmatch(value):
        raise ValueError("must be the path of a workflow file, like .github/workflows/build.yml")
    return value


def _tag(value: str) -> str:
    if _SHA not in value:
        raise ValueError("must contain {sha}: a tag without the commit can move to another image")
    if value.count(_SHA) > 1 or not _TAG.fullmatch(value.replace(_SHA, "0" * 40)):
        raise ValueError("must be a tag with one {sha} and otherwise letters, digits, '.', '_' and '-'")
    return value


def _health(value: str) -> str:
    if not _HEALTH.fullmatch(value) or ".." in value:
        raise ValueError("must be a path that begins with exactly one '/', without query, blanks or '..'")
    return value


class RepositoryConfig(BaseModel):
    """What a repository says about itself."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, title="Miso repository configuration")

    image: Annotated[str, Field(max_length=255), AfterValidator(_image)] = Field(
        description="Host and repository of the image that the build pushes, without tag.",
        examples=["registry.example/shop"],
    )
    build: Annotated[str, Field(max_length=255), AfterValidator(_workflow)] = Field(
        description="Path of the workflow whose successful run on the default branch is a build.",
        examples=[".github/workflows/build.yml"],
    )
    tag: Annotated[str, Field(max_length=128), AfterValidator(_tag)] = Field(
        default=_SHA, description="Form of the image tag; {sha} is the 40-digit commit."
    )
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8080, description="TCP port on which the container answers HTTP."
    )
    health: Annotated[str, Field(max_length=200), AfterValidator(_health)] = Field(
        default="/", description="Path that answers 200 when the application is healthy."
    )
    policy: Mapping[Stage, Override] = Field(
        default_factory=dict,
        description="By stage: keys that are tighter here than in the installation's policy. Whatever is looser does"
        " not count.",
        examples=[{"production": {"approvals": 2}}],
    )


def parse(text: str) -> RepositoryConfig | tuple[ConfigFault, ...]:
    """The configuration, or everything that is wrong with it, sorted by line. Never raises for what the text holds.

    What is looser than the installation's policy is no fault here: it does not count, and everything else does.
    """
    document = _read(text)
    if isinstance(document, tuple):
        return document
    config, faults = _validated(document)
    return ordered(faults) if config is None or faults else config


def check(text: str, policies: Mapping[Stage, Policy]) -> tuple[ConfigFault, ...]:
    """Everything that is wrong, also what is looser than the installation's policy of that stage."""
    document = _read(text)
    if isinstance(document, tuple):
        return document
    _, faults = _validated(document)
    said = document.values.get("policy")
    for stage, policy in policies.items():
        try:
            override = Override.model_validate(said[stage] if isinstance(said, Mapping) else None)
        except (ValidationError, KeyError):
            continue
        for key, instead in tightness.ignored(policy, override):
            sentence = f"is looser than this installation's policy, which counts instead: {instead}"
            faults.append(document.fault(("policy", str(stage), *key.split(".")), sentence))
    return ordered(faults)


def _read(text: str) -> Document | tuple[ConfigFault, ...]:
    document = yaml_lines.read(text)
    if isinstance(document, tuple):
        return document
    stages = ", ".join(Stage)
    return renamed(
        document,
        ("policy",),
        STAGE_ALIASES.get,
        wrong=f"is no stage; there are {stages}",
        twice="is a second policy for",
    )


def _validated(document: Document) -> tuple[RepositoryConfig | None, list[ConfigFault]]:
    faults = list(document.faults)
    config = None
    try:
        config = RepositoryConfig.model_validate(document.values)
    except ValidationError as wrong:
        faults += faults_of(wrong, document, (), _spelling)
    said = document.values.get("policy")
    for stage, keys in said.items() if isinstance(said, Mapping) else ():
        if isinstance(keys, Mapping) and keys.get("branches") == []:
            # It would mean the default branch only, which a list of branches may or may not hold.
            faults.append(document.fault(("policy", stage, "branches"), "must name a branch, or be left out"))
    return config, faults


def _spelling(path: Path) -> str:
    if path[0] == "policy":
        return spelling(path)
    return "known are " + ", ".join(RepositoryConfig.model_fields)


def tag_for(config: RepositoryConfig, commit: str) -> str:
    """The tag under which the build of a commit (40 lower-case hex digits) pushes its image.

    Raises ValueError for anything that is not a full commit.
    """
    if not re.fullmatch(r"[0-9a-f]{40}", commit, re.ASCII):
        raise ValueError("a tag is made of a full commit only")
    return config.tag.replace(_SHA, commit)


def schema() -> dict[str, Any]:
    """JSON Schema for editors; `config/schemas/miso.yml.schema.json` holds it."""
    found = RepositoryConfig.model_json_schema()
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    rules = {"image": _IMAGE, "build": _WORKFLOW, "health": _HEALTH}
    for name, rule in rules.items():
        found["properties"][name]["pattern"] = f"^{rule.pattern}$"
    found["properties"]["policy"]["propertyNames"] = {"enum": list(STAGE_ALIASES)}
    found["properties"]["tag"]["pattern"] = r"^[A-Za-z0-9._-]*\{sha\}[A-Za-z0-9._-]*$"
    return found
