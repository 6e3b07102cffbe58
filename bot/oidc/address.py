"""Under which address this controller issues: written down beside its keys, because others hold it in their records.

Every federated credential in Entra names the issuer. A controller that begins to issue under another address would be
believed by nobody, so `bot.oidc.opening` refuses the start until `miso keys migrate` has recorded the new one.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.errors import ConfigError
from bot.oidc.files import closed_directory, make_closed, read_closed, replace_closed

FILE = "issuer.json"


class Former(BaseModel):
    """An address of before."""

    model_config = ConfigDict(strict=True, frozen=True)

    issuer: str
    since_us: int
    until_us: int


class Record(BaseModel):
    """The address that counts, and those before it, oldest first."""

    model_config = ConfigDict(strict=True, frozen=True)

    issuer: str
    since_us: int
    history: tuple[Former, ...] = ()


def recorded(directory: Path) -> Record | None:
    """What stands beside the keys; None before the first start. Raises ConfigError for what cannot be read."""
    file = directory / FILE
    try:
        content, _ = read_closed(file)
    except FileNotFoundError:
        return None
    try:
        return Record.model_validate_json(content)
    except ValidationError:
        raise ConfigError([f"'{file}' does not name the issuer: restore it from a backup"]) from None


def hold(directory: Path, issuer: str, now_us: int) -> None:
    """Record the address at the first start; afterwards raise ConfigError for any other."""
    closed_directory(directory)
    found = recorded(directory)
    if found is None:
        make_closed(directory / FILE, _text(Record(issuer=issuer, since_us=now_us)))
        found = recorded(directory)
    if found is None or found.issuer != issuer:
        before = found.issuer if found is not None else "unknown"
        raise ConfigError(
            [
                f"MISO_PUBLIC_URL is {issuer}, but these keys issue as {before}: set it back, or see"
                " what `miso keys migrate` asks for before the address is changed"
            ]
        )


def migrate(directory: Path, issuer: str, now_us: int) -> Record:
    """Issue under this address from now on; the old one is kept in the history."""
    found = recorded(directory)
    if found is None:
        made = Record(issuer=issuer, since_us=now_us)
    else:
        former = Former(issuer=found.issuer, since_us=found.since_us, until_us=now_us)
        made = Record(issuer=issuer, since_us=now_us, history=(*found.history, former))
    replace_closed(directory / FILE, _text(made))
    return made


def _text(record: Record) -> bytes:
    return record.model_dump_json(indent=2).encode() + b"\n"
