"""Writing the registry: `miso register`, and the files in `config/catalog` at every start.

Called by `bot.cli` and `bot.app`. Every row knows who wrote it; a file that disagrees with a row that a person wrote
stops the start, because two truths about where production is are worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from bot.context import Miso
from bot.domain import registration
from bot.domain.model import Application, Environment
from bot.domain.registration import Registered, RegistrationFault
from bot.errors import ConfigError, Refused


async def register(miso: Miso, text: str, *, origin: str) -> Registered:
    """Take one registration in YAML. `origin` is "command" or the file's name. Raises ConfigError with all faults."""
    wanted = _read(miso, text, origin)
    rows = await miso.store.applications(), await miso.store.environments()
    faults = [*registration.conflicts(wanted, *rows)]
    if origin != "command":
        faults += _disagreements(wanted, *rows)
    if faults:
        raise ConfigError(_told(origin, faults))
    try:
        await miso.store.register(wanted.application, wanted.environments)
    except Refused as no:
        raise ConfigError([f"{origin}: {no.sentence}"]) from None
    return wanted


async def import_files(miso: Miso, files: Mapping[str, str]) -> None:
    """Import every file of `config/catalog` (name → text). Raises ConfigError with the faults of all files at once."""
    faults: list[str] = []
    for name, text in sorted(files.items()):
        try:
            await register(miso, text, origin=name)
        except ConfigError as wrong:
            faults += wrong.faults
    if faults:
        raise ConfigError(faults)


def _read(miso: Miso, text: str, origin: str) -> Registered:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as wrong:
        mark = getattr(wrong, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise ConfigError([f"{origin}: is not YAML{where}"]) from None
    found = registration.register(document, registries=miso.rules.registries, origin=origin)
    if not isinstance(found, Registered):
        raise ConfigError(_told(origin, found))
    return found


def _told(origin: str, faults: tuple[RegistrationFault, ...] | list[RegistrationFault]) -> list[str]:
    return [f"{origin}: {fault.path} {fault.sentence}" for fault in faults]


def _disagreements(
    wanted: Registered, applications: Sequence[Application], environments: Sequence[Environment]
) -> list[RegistrationFault]:
    """Where a file says otherwise than a row that a command wrote."""
    known: list[Application | Environment] = [*applications, *environments]
    stored = {row.id: row for row in known}
    rows: list[tuple[str, Application | Environment]] = [("id", wanted.application)]
    rows += [(f"environments.{at}", environment) for at, environment in enumerate(wanted.environments)]
    return [
        RegistrationFault(path=path, sentence=f"was registered by {stored[row.id].origin} with other values")
        for path, row in rows
        if row.id in stored and stored[row.id].origin != row.origin and _differ(stored[row.id], row)
    ]


def _differ(one: Application | Environment, other: Application | Environment) -> bool:
    return {**vars(one), "origin": ""} != {**vars(other), "origin": ""}
