"""`.github/miso.yml` of a repository, as it stands on its default branch at a recorded commit (security rule 3).

Called by `bot.services.policies` for a decision and by `bot.services.lint`. It reads and never writes; a file that
cannot be read or has faults says nothing, and the code says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from bot.context import Repository
from bot.domain import repository_config
from bot.domain.codes import Code
from bot.domain.model import Stage
from bot.domain.policy_keys import Override
from bot.domain.repository_config import ConfigFault, RepositoryConfig
from bot.errors import MisoError


@dataclass(frozen=True, kw_only=True)
class OwnFile:
    """What a repository says about itself, or why that does not count."""

    settings: RepositoryConfig | None = None
    config: Code | None = None
    """None: it counts."""
    commit: str = ""
    """Commit at which it was looked for; empty: that could not be established."""
    text: str = ""

    @property
    def overrides(self) -> Mapping[Stage, Override]:
        """What it tightens, by stage."""
        return self.settings.policy if self.settings else {}


async def read(repository: Repository, default_branch: str) -> OwnFile:
    """The branch's head, then the file at that very commit."""
    if not default_branch:
        return OwnFile(config=Code.GITHUB_UNAVAILABLE)
    commit = ""
    try:
        commit = await repository.head(default_branch)
        text = await repository.file(repository_config.PATH, commit)
    except MisoError:
        return OwnFile(config=Code.GITHUB_UNAVAILABLE, commit=commit)
    if text is None:
        return OwnFile(config=Code.CONFIG_MISSING, commit=commit)
    settings = parsed(text)
    return OwnFile(settings=settings, config=None if settings else Code.CONFIG_INVALID, commit=commit, text=text)


def parsed(text: str) -> RepositoryConfig | None:
    """None for a file with faults."""
    found = judged(text)
    return found if isinstance(found, RepositoryConfig) else None


@lru_cache(maxsize=64)
def judged(text: str) -> RepositoryConfig | tuple[ConfigFault, ...]:
    """What it says, or its faults. Reading YAML takes longer than deciding, and the same text always says the same."""
    return repository_config.parse(text)
