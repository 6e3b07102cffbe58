"""One table of all settings, for people and for machines: `docs/configuration.md` is written from it.

`python -m bot.settings > docs/configuration.md`; a test holds the file current. Reads no environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from bot.settings.declaring import PREFIX
from bot.settings.doors import DoorSettings
from bot.settings.fields import Settings


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row. `form` says how the value is written, `default` is as an operator would write it; "" is none."""

    name: str
    group: str
    form: str
    default: str
    required: bool
    secret: bool
    meaning: str


def reference() -> Sequence[Setting]:
    """Every setting, in the order of the documentation."""
    rows: list[Setting] = []
    group = ""
    # What a class inherits stands first in its fields; people first want to read what Miso cannot start without.
    own = [name for name in Settings.model_fields if name not in DoorSettings.model_fields]
    for name in [*own, *DoorSettings.model_fields]:
        field = Settings.model_fields[name]
        extra = cast("dict[str, Any]", field.json_schema_extra)
        group = extra.get("group", group)
        rows.append(
            Setting(
                name=PREFIX + name.upper(),
                group=group,
                form=extra["form"],
                default=_written(field.default) if not field.is_required() else "",
                required=field.is_required(),
                secret=field.repr is False,
                meaning=field.description or "",
            )
        )
    return rows


def markdown() -> str:
    """The whole of `docs/configuration.md`."""
    out = [
        "# Configuration",
        "",
        "<!-- Written by `python -m bot.settings`; change `bot/settings/fields.py` or `doors.py` instead. -->",
        "",
        "Miso reads environment variables and a directory with files. It refuses to start unless all of it is right,"
        " and then names every fault at once. An empty variable counts as not set; a `MISO_` variable that is not in"
        " these tables is a fault. Base addresses are https, except on loopback.",
    ]
    group = ""
    for row in reference():
        if row.group != group:
            group = row.group
            out += ["", f"## {group}", "", "| Variable | Written as | Default | Meaning |", "|---|---|---|---|"]
        default = "**required**" if row.required else (f"`{row.default}`" if row.default else "–")
        out.append(f"| `{row.name}` | {row.form} | {default} | {row.meaning} |")
    out += [
        "",
        "## Files",
        "",
        "`policy.yml` in `MISO_CONFIG_DIR` says who may do what in each stage: [policy.md](policy.md). `catalog/*.yml`"
        " beside it holds the registered applications, `trust/*.yml` says whose workflows may ask for a token:"
        " [trust.md](trust.md).",
    ]
    return "\n".join(out) + "\n"


def _written(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
        case _:
            return str(default)
