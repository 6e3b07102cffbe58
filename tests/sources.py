"""The project's own files and syntax trees, read once: what tests about the house look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]

_IGNORED = [
    line.strip().rstrip("/")
    for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]


@dataclass(frozen=True)
class Module:
    """One Python file. `name` is its path from the root, with slashes."""

    name: str
    text: str
    tree: ast.Module


@dataclass(frozen=True)
class Call:
    """One call: `receiver.method(…)`, or `method(…)` without one. `within`: what is around it, outermost first."""

    module: str
    within: tuple[str, ...]
    receiver: str
    method: str
    node: ast.Call


def ignored(path: Path) -> bool:
    """Whether `.gitignore` keeps this file or folder out of the repository."""
    return any(fnmatch(part, pattern) for part in path.relative_to(ROOT).parts for pattern in _IGNORED)


def files(under: Path = ROOT) -> Iterator[Path]:
    """Every file of the repository."""
    for path in sorted(under.iterdir()):
        if path.name == ".git" or ignored(path):
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


@cache
def modules(*roots: str) -> tuple[Module, ...]:
    """Every Python file below these folders."""
    found = []
    for root in roots:
        for path in files(ROOT / root):
            if path.suffix == ".py":
                text = path.read_text(encoding="utf-8")
                found.append(Module(path.relative_to(ROOT).as_posix(), text, ast.parse(text)))
    return tuple(found)


def calls(*roots: str) -> Iterator[Call]:
    """Every call below these folders, but for calls of what a call answered."""
    for module in modules(*roots):
        yield from _calls(module.name, module.tree, ())


def _calls(module: str, node: ast.AST, within: tuple[str, ...]) -> Iterator[Call]:
    for child in ast.iter_child_nodes(node):
        inside = within
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = (*within, child.name)
        elif isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute):
            yield Call(module, within, ast.unparse(child.func.value), child.func.attr, child)
        elif isinstance(child, ast.Call) and isinstance(child.func, ast.Name):
            yield Call(module, within, "", child.func.id, child)
        yield from _calls(module, child, inside)


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file, methods and inner ones too."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imports(module: Module) -> Iterator[tuple[str, bool]]:
    """Modules that a file imports, each with whether that happens inside a function, when it is called."""
    inner = {id(node) for function in functions(module) for node in ast.walk(function)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in inner
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in inner
