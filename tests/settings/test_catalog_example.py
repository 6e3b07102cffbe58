"""The example in `config/catalog` is one that Miso would take, were it enabled."""

from __future__ import annotations

from pathlib import Path

import yaml

from bot.domain.model import Stage
from bot.domain.registration import Registered, register

EXAMPLE = Path(__file__).parents[2] / "config" / "catalog" / "example.yml.disabled"


def test_the_example_is_right() -> None:
    registered = register(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")), registries=())
    assert isinstance(registered, Registered), registered
    assert [environment.stage for environment in registered.environments] == [Stage.DEV, Stage.PRODUCTION]
