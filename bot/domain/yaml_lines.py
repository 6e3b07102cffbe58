"""YAML as people write it: values with the line of each key, and everything that is wrong with the text at once.

Used by `policy_file` and `repository_config`. Nothing here needs anchors or tags, so none is read; a key that stands
twice is a fault, where YAML would keep the last without a word. Never raises for what a text holds; reads no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml
from pydantic import ValidationError

SIZE_LIMIT = 65_536
"""Bytes of UTF-8."""
DEPTH_LIMIT = 8

Path = tuple[int | str, ...]


@dataclass(frozen=True, kw_only=True)
class ConfigFault:
    """One thing that is wrong. `line` counts from 1; `path` is like `policy.test.soak`, empty for the whole file."""

    line: int
    path: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Document:
    """A mapping that could be read, and what is wrong with its keys."""

    values: Mapping[str, Any]
    lines: Mapping[Path, int] = field(default_factory=dict)
    faults: tuple[ConfigFault, ...] = ()

    def fault(self, at: Path, sentence: str) -> ConfigFault:
        """A fault at this place, or at the nearest place around it that the text has a line for."""
        line = next((self.lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in self.lines), 1)
        return ConfigFault(line=line, path=written(at), sentence=sentence)


def read(text: str) -> Document | tuple[ConfigFault, ...]:
    """The text's mapping, or why there is none."""
    if len(text.encode("utf-8", "surrogatepass")) > SIZE_LIMIT:
        return (_whole(1, f"the file is larger than {SIZE_LIMIT} bytes"),)
    try:
        faults = tuple(_of_events(text))
        root = None if faults else yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        return (_whole(mark.line + 1 if mark else 1, f"this is not YAML: {fault.problem or 'it cannot be read'}"),)
    except yaml.YAMLError:
        return (_whole(1, "this is not YAML: a character is not allowed"),)
    if faults:
        return faults
    if not isinstance(root, yaml.MappingNode):
        return (_whole(1, "the file must hold keys and values"),)
    reader = _Reader()
    values = reader.mapping(root, ())
    return Document(values=values, lines=reader.lines, faults=tuple(reader.faults))


def renamed(document: Document, at: Path, name: Callable[[str], str | None], *, wrong: str, twice: str) -> Document:
    """The same with the keys of one mapping in their canonical form; values and lines move along.

    `name` gives that form, None for a word that means nothing. `wrong` and `twice` are the sentences for such a key and
    for a second one that means the same.
    """
    *above, last = at
    inside = document.values
    for part in above:
        inside = inside.get(str(part), {}) if isinstance(inside, Mapping) else {}
    if not isinstance(inside, Mapping) or not isinstance(inside.get(str(last)), Mapping):
        return document
    found: dict[str, Any] = {}
    names: dict[str, str] = {}
    faults = list(document.faults)
    for key, value in inside[str(last)].items():
        canonical = name(key)
        if canonical is None:
            faults.append(document.fault((*at, key), wrong))
        elif canonical in found:
            faults.append(document.fault((*at, key), f"{twice} {canonical}"))
        else:
            found[canonical] = value
            names[key] = canonical
    lines = {moved: line for path, line in document.lines.items() if (moved := _moved(path, at, names))}
    values = _put(document.values, at, found)
    return replace(document, values=values, lines=lines, faults=tuple(faults))


def faults_of(
    error: ValidationError, document: Document, at: Path, spelling: Callable[[Path], str]
) -> list[ConfigFault]:
    """What a model found wrong with the part of a document that stands at `at`. `spelling` advises on strange keys."""
    found = []
    told = {fault.path for fault in document.faults}
    for each in error.errors(include_url=False, include_context=False):
        path = (*at, *each["loc"])
        if written(path) in told:
            continue
        sentence = _SENTENCES.get(each["type"]) or each["msg"].removeprefix("Value error, ").replace(
            "Input should be", "must be"
        )
        if each["type"] == "extra_forbidden":
            sentence = f"is not a known key; {spelling(path)}"
        found.append(document.fault(path, sentence[:1].lower() + sentence[1:]))
    return found


def written(path: Path) -> str:
    """`groups[0].count`"""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def ordered(faults: list[ConfigFault]) -> tuple[ConfigFault, ...]:
    return tuple(sorted(set(faults), key=lambda fault: (fault.line, fault.path, fault.sentence)))


_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "model_type": "must hold keys and values",
    "mapping_type": "must hold keys and values",
    "is_instance_of": "must hold keys and values",
}


class _Reader:
    """Walks the nodes of one text. Keys are taken one by one: a plain load keeps the last of two and merges `<<`."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.faults: list[ConfigFault] = []
        self._loader = yaml.SafeLoader("")

    def mapping(self, node: yaml.MappingNode, at: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, inner in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.faults.append(ConfigFault(line=line, path=written(at), sentence="keys must be plain words"))
                continue
            path = (*at, str(key.value))
            if path in self.lines:
                sentence = f"is said twice, first in line {self.lines[path]}"
                self.faults.append(ConfigFault(line=line, path=written(path), sentence=sentence))
                continue
            self.lines[path] = line
            values[str(key.value)] = self._value(inner, path)
        return values

    def _value(self, node: yaml.Node, at: Path) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                self.lines[(*at, number)] = item.start_mark.line + 1
            return [self._value(item, (*at, number)) for number, item in enumerate(node.value)]
        if node.tag == "tag:yaml.org,2002:timestamp":
            # A day or a time of day is text here: what it means is for whoever asked for it to say.
            return str(node.value)
        try:
            return self._loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError):
            # YAML 1.1 reads some scalars as numbers that are none.
            line = node.start_mark.line + 1
            self.faults.append(ConfigFault(line=line, path=written(at), sentence="cannot be read; put it in quotes"))
            return ""


def _of_events(text: str) -> Iterator[ConfigFault]:
    """Anchors, aliases and tags: nothing here needs them, and a few lines of aliases can grow to gigabytes."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            yield _whole(line, "anchors and aliases are not allowed")
        if getattr(event, "tag", None):
            yield _whole(line, "tags such as !!str are not allowed")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_LIMIT:
                yield _whole(line, "this is nested too deeply")
                return
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _whole(line: int, sentence: str) -> ConfigFault:
    return ConfigFault(line=line, path="", sentence=sentence)


def _moved(path: Path, at: Path, names: Mapping[str, str]) -> Path:
    """Where a line belongs after renaming; nowhere for a key that was dropped."""
    here = len(at)
    if path[:here] != at or len(path) <= here:
        return path
    return (*at, names[str(path[here])], *path[here + 1 :]) if path[here] in names else ()


def _put(values: Mapping[str, Any], at: Path, what: Mapping[str, Any]) -> Mapping[str, Any]:
    first, *rest = at
    return {**values, str(first): _put(values[str(first)], tuple(rest), what) if rest else what}
