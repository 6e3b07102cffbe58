"""`.github/miso.yml`: the little that a repository may say about itself. Text in, configuration or all faults out.

Called by the verb that records a finished build, with the file as it stands on the default branch (security rule 3).
Nothing here names a place, a person or an id: those are the registry's. It reads no file and follows no reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

PATH = ".github/miso.yml"
SIZE_LIMIT = 65_536
"""Bytes of UTF-8."""
DEPTH_LIMIT = 8
_SHA = "{sha}"

# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
_HOST = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(rf"{_HOST}/{_PART}(?:/{_PART})*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_WORKFLOW = re.compile(r"\.github/workflows/[A-Za-z0-9._-]+\.ya?ml", re.ASCII)
# One slash only: "//host/" would be an address of its own. No "..", query, fragment, blank or percent sign either.
_HEALTH = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@/-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class ConfigFault:
    """One thing that is wrong. `line` counts from 1; `path` is like `health`, empty for the file as a whole."""

    line: int
    path: str
    sentence: str


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


def parse(text: str) -> RepositoryConfig | tuple[ConfigFault, ...]:
    """The configuration, or everything that is wrong with it, sorted by line. Never raises for what the text holds."""
    if len(text.encode("utf-8", "surrogatepass")) > SIZE_LIMIT:
        return (ConfigFault(line=1, path="", sentence=f"the file is larger than {SIZE_LIMIT} bytes"),)
    try:
        faults = tuple(_of_events(text))
        if faults:
            return faults
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = mark.line + 1 if mark else 1
        return (ConfigFault(line=line, path="", sentence=f"this is not YAML: {fault.problem or 'it cannot be read'}"),)
    except yaml.YAMLError:
        return (ConfigFault(line=1, path="", sentence="this is not YAML: a character is not allowed"),)
    if not isinstance(root, yaml.MappingNode):
        return (ConfigFault(line=1, path="", sentence="the file must hold keys and values: at least image and build"),)
    return _validate(root)


def _of_events(text: str) -> Iterator[ConfigFault]:
    """Anchors, aliases and tags: nothing here needs them, and a few lines of aliases can grow to gigabytes."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            yield ConfigFault(line=line, path="", sentence="anchors and aliases are not allowed")
        if getattr(event, "tag", None):
            yield ConfigFault(line=line, path="", sentence="tags such as !!str are not allowed")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_LIMIT:
                yield ConfigFault(line=line, path="", sentence="this is nested too deeply")
                return
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _validate(root: yaml.MappingNode) -> RepositoryConfig | tuple[ConfigFault, ...]:
    values, lines, faults = _read(root)
    config = None
    try:
        config = RepositoryConfig.model_validate(values)
    except ValidationError as wrong:
        for error in wrong.errors(include_url=False, include_input=False):
            path = str(error["loc"][0])
            sentence = _sentence(error["type"], error["msg"])
            if not any(fault.path == path for fault in faults):
                faults.append(ConfigFault(line=lines.get(path, 1), path=path, sentence=sentence))
    if config is None or faults:
        return tuple(sorted(faults, key=lambda fault: (fault.line, fault.path)))
    return config


def _read(root: yaml.MappingNode) -> tuple[dict[str, Any], dict[str, int], list[ConfigFault]]:
    """Values and lines by key. Keys are taken one by one: a plain load keeps the last of two and merges "<<"."""
    loader = yaml.SafeLoader("")
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    faults: list[ConfigFault] = []
    for key, node in root.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            faults.append(ConfigFault(line=line, path="", sentence="keys must be plain words"))
            continue
        name = str(key.value)
        if name in lines:
            faults.append(ConfigFault(line=line, path=name, sentence=f"is said twice, first in line {lines[name]}"))
            continue
        lines[name] = line
        try:
            values[name] = loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError):
            # YAML 1.1 reads some scalars as dates, also impossible ones.
            faults.append(ConfigFault(line=line, path=name, sentence="cannot be read; put it in quotes"))
    return values, lines, faults


def _sentence(kind: str, message: str) -> str:
    known = {
        "missing": "is missing",
        "extra_forbidden": "is not a known key; known are " + ", ".join(RepositoryConfig.model_fields),
        "string_type": "must be text",
        "int_type": "must be a whole number",
    }
    return known.get(kind) or message.removeprefix("Value error, ").replace("Input should be", "must be")


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
    found["properties"]["tag"]["pattern"] = r"^[A-Za-z0-9._-]*\{sha\}[A-Za-z0-9._-]*$"
    return found
