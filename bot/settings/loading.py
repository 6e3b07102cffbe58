"""From the environment and `config/` to `Settings`, or to one `ConfigError` that names every fault at once.

Called by `bot.app` and the command line, once, before anything is opened. Writes nothing. Never quotes a secret.
"""

from __future__ import annotations

import difflib
import os
from typing import Any

from pydantic import SecretStr, ValidationError

from bot.domain import policy_file, trust_file
from bot.errors import ConfigError
from bot.settings import folders
from bot.settings.declaring import PREFIX
from bot.settings.fields import Settings


def load() -> Settings:
    """The settings. Raises `ConfigError` with one sentence for each fault, each with what to do."""
    faults = _unknown_names()
    try:
        settings = Settings()
    except ValidationError as fault:
        errors = fault.errors(include_url=False, include_context=False)
        raise ConfigError([*faults, *(_sentence(dict(error)) for error in errors)]) from None
    wrong = (*_read_policy(settings), *_read_trust(settings))
    if faults or wrong:
        raise ConfigError([*faults, *wrong])
    return settings


def _read_policy(settings: Settings) -> tuple[str, ...]:
    """Put `policy.yml` into the settings; what is wrong with it."""
    file = settings.config_dir / "policy.yml"
    try:
        settings._policy_text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        return (f"'{file}' cannot be read as text: {fault}",)
    settings._policies, wrong = policy_file.read(settings._policy_text, str(file))
    return wrong


def _read_trust(settings: Settings) -> tuple[str, ...]:
    """Put `trust/*.yml` into the settings; what is wrong with them."""
    try:
        settings._trust, wrong = trust_file.read(folders.texts(settings.config_dir, "trust"))
    except ConfigError as fault:
        return fault.faults
    return wrong


def _unknown_names() -> list[str]:
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    faults = []
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {close[0]}?" if close else "remove it"
            faults.append(f"{name} is not a setting of Miso; {advice}")
    return faults


def _sentence(error: dict[str, Any]) -> str:
    """One fault, in terms of the variable that the operator typed."""
    field = str(error["loc"][0])
    name, about = PREFIX + field.upper(), Settings.model_fields[field]
    if error["type"] == "missing":
        return f"{name} is not set. {about.description}"
    message = str(error["msg"]).removeprefix("Value error, ")
    value = "" if isinstance(error["input"], SecretStr) or about.repr is False else str(error["input"])
    # An address with an @ may hold a password.
    shown = f" is '{value}'" if value and "@" not in value else ""
    return f"{name}{shown}: {message[:1].lower()}{message[1:]}"
