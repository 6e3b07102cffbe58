"""Whether anything that opens something was written down where it must not be: the last look of the story.

Called by its last chapter. Only names are ever told, so that what was found once is not written down twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

OPEN = ("keys", "seal.key")
"""What may hold secrets: they are kept there."""


def leaks(secrets: Mapping[str, str], data: Path, log: Path, github: Any) -> list[str]:
    """Where which of them stands: in the controller's database and log, or on GitHub. `secrets`: by what each is."""
    places = {path.name: path.read_bytes() for path in _files(data)}
    places |= {log.name: log.read_bytes(), "GitHub": json.dumps(github).encode()}
    return sorted(
        f"{name} in {place}"
        for name, secret in secrets.items()
        for place, content in places.items()
        if secret.encode() in content
    )


def ledger(data: Path, stream: str) -> list[tuple[str, str, int]]:
    """Kind, kind of actor and number of actor of every row of a stream, as it stands in the controller's own file."""
    with closing(sqlite3.connect(f"file:{data / 'miso.sqlite'}?mode=ro", uri=True)) as store:
        rows = store.execute("SELECT kind, actor_kind, actor_id FROM journal WHERE stream = ? ORDER BY seq", [stream])
        return [(str(kind), str(who), int(number)) for kind, who, number in rows]


def _files(data: Path) -> Iterator[Path]:
    for path in sorted(data.rglob("*")):
        if path.is_file() and path.relative_to(data).parts[0] not in OPEN:
            yield path
