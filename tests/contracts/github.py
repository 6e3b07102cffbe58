"""Whether GitHub's official description allows what went over the wire: our requests, its answers, the webhooks.

An observer for `bot.sim.wire`: `check(exchange)` returns what is wrong, in words. The description is the one that the
package githubkit generates its models from, for REST API version 2022-11-28
(https://github.com/github/rest-api-description); routes, query parameters, bodies and answers are read out of its
client. The models ignore keys that they do not know; here those are faults too, on every level, in both directions.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Union

from githubkit.exception import WebhookTypeNotFound
from githubkit_schemas.v2022_11_28 import models
from githubkit_schemas.v2022_11_28.webhooks import VALID_EVENT_NAMES
from pydantic import BaseModel, TypeAdapter, ValidationError

from bot.sim.wire import Exchange

_SCHEMAS = "githubkit_schemas.v2022_11_28"
_MANY_SEGMENTS = ("path", "ref", "branch", "basehead")

EXCUSED: dict[str, str] = {
    "GET /repositories/{id}": "works on GitHub and is where renamed repositories redirect to; described nowhere",
    "statuses 4xx and 5xx": "the description leaves out many that GitHub really gives, and their bodies vary",
}
"""What is let through although the description does not have it, and why."""

SYNONYMS: dict[str, str] = {
    r"/repositories/\d+(?P<rest>/.*)?": "/repos/owner/repo",
    r"/organizations/\d+/team/\d+(?P<rest>/.*)?": "/orgs/org/teams/team",
}
"""Routes by numeric ids, and the described ones by names that answer the same.

The first is where GitHub redirects renamed repositories to; the second stands in a note of the routes by name:
https://docs.github.com/en/rest/teams/members#list-team-members"""

EXCUSED_KEYS: dict[tuple[str, str], str] = {
    (r".*Permissions", "actions_variables"): "the permission for repository variables is missing from app-permissions",
    (r"WebhookWorkflowRunInProgress.*", "display_title"): "described for requested and completed alone, sent for each",
    (r"WebhookDeployment.*PerformedViaGithubApp", "client_id"): "described for an App everywhere else",
}
"""(model as a regular expression, key) that GitHub sends although its description does not have it, and why."""


@dataclass(frozen=True)
class Operation:
    """One described operation. A None `answer` means that success has no body."""

    method: str
    template: str
    query: frozenset[str]
    body: Any
    answer: Any
    prefix: str


@cache
def _sources() -> dict[tuple[str, str], str]:
    """(method, template) → source of the client method that performs it."""
    spec = importlib.util.find_spec(f"{_SCHEMAS}.rest")
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{_SCHEMAS} is not installed")
    found: dict[tuple[str, str], str] = {}
    for file in sorted(Path(spec.origin).parent.glob("*.py")):
        for chunk in re.split(r"\n(?=    (?:async )?def )", file.read_text()):
            url = re.search(r'^        url = f?"(/[^"]*)"', chunk, re.MULTILINE)
            verb = re.search(r'self\._github\.request\(\s*"([A-Z]+)"', chunk)
            if url and verb and chunk.lstrip().startswith("def "):
                source = re.split(r"\n    @", chunk)[0]
                found.setdefault((verb[1], url[1]), source)
    return found


@cache
def _patterns() -> list[tuple[str, re.Pattern[str], re.Pattern[str], str]]:
    """(method, narrow, wide, template), the most literal first. Wide lets some parameters hold slashes."""
    table = []
    for method, template in sorted(_sources(), key=lambda key: (key[1].count("{"), -len(key[1]))):
        parts = re.split(r"\{(\w+)\}", template)
        narrow = "".join(re.escape(part) if place % 2 == 0 else "[^/]+" for place, part in enumerate(parts))
        wide = "".join(
            re.escape(part) if place % 2 == 0 else (".+" if part in _MANY_SEGMENTS else "[^/]+")
            for place, part in enumerate(parts)
        )
        table.append((method, re.compile(narrow), re.compile(wide), template))
    return table


@lru_cache(maxsize=4096)
def operation_for(method: str, path: str) -> Operation | None:
    """The described operation behind a request, None when there is none."""
    for wide_too in (False, True):
        for known, narrow, wide, template in _patterns():
            if known == method and (wide if wide_too else narrow).fullmatch(path):
                return _operation(method, template)
    return None


@cache
def _operation(method: str, template: str) -> Operation:
    tree = ast.parse(textwrap.dedent(_sources()[method, template]))
    query: set[str] = set()
    body = answer = None
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Dict)
            and ast.unparse(node.targets[0]) == "params"
        ):
            query = {str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "type_validate_python":
            body = _type(node.args[0])
        if isinstance(node, ast.keyword) and node.arg == "response_model":
            answer = _type(node.value)
    words = [word for part in template.split("/") for word in re.split(r"[-_]", part.strip("{}")) if word]
    prefix = "".join(word.capitalize() for word in words) + method.capitalize()
    return Operation(method, template, frozenset(query), body, answer, prefix)


def _type(node: ast.expr) -> Any:
    """The type that an expression of the generated client names: a model, `list[…]`, `Union[…]` or a builtin."""
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        made = tuple(_type(part) for part in inner)
        return list[made[0]] if ast.unparse(node.value) == "list" else Union[made]  # type: ignore[valid-type]  # noqa: UP007  # types made at run time
    name = ast.unparse(node)
    builtin = {"str": str, "int": int, "None": type(None), "Any": Any, "dict": dict, "object": object}
    return builtin[name] if name in builtin else getattr(models, name)


@cache
def _adapter(described: Any) -> TypeAdapter[Any]:
    return TypeAdapter(described)


def _against(described: Any, raw: bytes, where: str) -> list[str]:
    """Faults of a JSON text against a type: wrong shapes first, then keys that the description does not have."""
    try:
        value = _adapter(described).validate_json(raw, strict=True)
    except ValidationError as error:
        return [
            f"{where}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)[:8]
        ]
    return [f"{where}: unknown key {key}" for key in _unknown(json.loads(raw), value, "")]


def _unknown(data: Any, value: Any, where: str) -> Iterator[str]:
    """Keys of `data` that the model it was read into does not have."""
    if isinstance(value, BaseModel) and isinstance(data, dict):
        fields = {field.alias or name: name for name, field in type(value).model_fields.items()}
        free = type(value).model_config.get("extra") == "allow"
        for key, entry in data.items():
            if key in fields:
                yield from _unknown(entry, getattr(value, fields[key]), f"{where}.{key}")
            elif not free and not _excused(type(value).__name__, key):
                yield f"{where}.{key} of {type(value).__name__}"
    elif isinstance(value, list) and isinstance(data, list):
        for place, (entry, made) in enumerate(zip(data, value, strict=True)):
            yield from _unknown(entry, made, f"{where}[{place}]")


@cache
def _excused(model: str, key: str) -> bool:
    return any(known == key and re.fullmatch(pattern, model) for pattern, known in EXCUSED_KEYS)


def by_names(path: str) -> str:
    """The path under which a route stands in the description."""
    for ids, names in SYNONYMS.items():
        found = re.fullmatch(ids, path)
        if found:
            return names + (found["rest"] or "")
    return path


def check(exchange: Exchange) -> list[str]:
    """What the description does not allow in this exchange; servers other than GitHub are not judged."""
    if exchange.server == "webhook":
        return check_webhook(exchange.request_headers.get("x-github-event", ""), exchange.request_body)
    if exchange.server != "github":
        return []
    operation = operation_for(exchange.method, by_names(exchange.path))
    if operation is None:
        return ["this route stands in no description"]
    return [*_request(operation, exchange), *_response(operation, exchange)]


def _request(operation: Operation, exchange: Exchange) -> list[str]:
    faults = [f"request: unknown query parameter {name}" for name in exchange.query if name not in operation.query]
    if operation.body is None:
        if exchange.request_body and exchange.request_body != b"{}":
            faults.append("request: a body where none is described")
    elif exchange.request_body:
        if not exchange.request_headers.get("content-type", "").startswith("application/json"):
            faults.append("request: the body is not declared as application/json")
        faults += _against(operation.body, exchange.request_body, "request")
    return faults


def _response(operation: Operation, exchange: Exchange) -> list[str]:
    if exchange.status == 501:
        return ["the pretend GitHub does not have this route"]
    if exchange.status >= 300:
        return []
    own = getattr(models, f"{operation.prefix}Response{exchange.status}", None)
    described = own if own is not None else operation.answer
    if exchange.status == 204 or described is None:
        return ["answer: a body where none is described"] if exchange.response_body else []
    return _against(described, exchange.response_body, "answer")


def check_webhook(event: str, body: bytes) -> list[str]:
    """What the description does not allow in this payload."""
    if event not in VALID_EVENT_NAMES:
        return [f"webhook: {WebhookTypeNotFound(event)!r}"]
    return _against(_event_type(event, str(json.loads(body).get("action"))), body, f"webhook {event}")


@cache
def _event_type(event: str, action: str) -> Any:
    """The model of this event and action; the event's union when the action is none of the described ones."""
    module = importlib.import_module(f"{_SCHEMAS}.webhooks.{event}")
    by_action = module.action_types
    return by_action.get(action, module.Event) if isinstance(by_action, dict) else by_action
