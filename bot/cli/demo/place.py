"""Where a demo that was left running is found: one directory with a small state file, for this user alone.

Written by `miso demo --serve`, read by the little commands of a visitor. It never touches a directory that is not its
own.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.errors import Refused

STATE = "demo.json"
SETTINGS = "demo.env"
DEFAULT = Path(".miso/demo")


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A demo that runs."""

    pid: int
    control: str
    """Remote control of the pretend world."""
    web: str
    controller: str


@contextmanager
def taken(directory: Path) -> Iterator[Path]:
    """The directory, empty and ours until the block ends. Raises Refused when it is somebody else's or in use."""
    if directory.exists() and any(directory.iterdir()):
        if not (directory / STATE).is_file():
            raise Refused("demo_directory", f"'{directory}' holds other things.", "Name another one with --directory.")
        if running(directory) is not None:
            raise Refused("demo_running", "A demo runs there already.", "Stop it with Ctrl-C, or use --directory.")
        shutil.rmtree(directory)
    for each in (directory.parent, directory):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    # From here on the directory can be told to be ours, also after a crash.
    (directory / STATE).write_text("{}", encoding="utf-8")
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def tell(directory: Path, demo: Demo, settings: Mapping[str, str]) -> None:
    """Write down how the demo is reached, and the controller's settings for a shell."""
    env = directory / SETTINGS
    env.touch(mode=0o600)
    env.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()))
    new = directory / f".{STATE}"
    new.write_text(json.dumps(asdict(demo), indent=2), encoding="utf-8")
    new.replace(directory / STATE)


def running(directory: Path) -> Demo | None:
    """The demo that runs there; None when there is none, or only what a crash left."""
    with suppress(OSError, ValueError, TypeError):
        demo = Demo(**json.loads((directory / STATE).read_text(encoding="utf-8")))
        os.kill(demo.pid, 0)
        return demo
    return None


def found(directory: Path) -> Demo:
    """The demo that runs there. Raises Refused when none does."""
    demo = running(directory)
    if demo is None:
        raise Refused("no_demo", f"No demo runs in '{directory}'.", "Start one with `miso demo --serve`.")
    return demo
