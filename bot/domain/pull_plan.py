"""What merging a pull request, and then promoting its build, would do to each environment on the way to production.

`bot.services.previews` fills these values, `bot.domain.messages.pull_plan` has the words. They are shown on the pull
request and used for nothing else: what is deployed is decided anew, over the default branch (security rule 3).
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.codes import Code
from bot.domain.freezes import Frozen
from bot.domain.model import Application, CommitRange, Drift, Environment, Hold, Lock, Release
from bot.domain.preview import Address, Effect, Preview
from bot.domain.rules import Policy


@dataclass(frozen=True, kw_only=True)
class Travel:
    """So many commits; `complete` is False where there are more than could be read."""

    count: int
    complete: bool = True


@dataclass(frozen=True, kw_only=True)
class Station:
    """One environment, as it is and as it would become."""

    application: Application
    environment: Environment
    running: Release | None
    """What runs there now, as far as the journal knows."""
    source: int
    """Number of the pull request that it came from; 0: none is known."""
    preview: Preview | None
    """None: what would run cannot be told, because `.github/miso.yml` cannot be used."""
    merged: Travel | None
    """Commits that are merged already and do not run here yet. None: it could not be read."""
    policy: Policy | None
    """What counts here now. None: nothing is allowed here."""
    reachable: bool = True
    """Whether builds of the branch that this is merged into may come here."""
    lock: Lock | None = None
    frozen: Frozen | None = None
    held: tuple[Hold, ...] = ()
    drift: Drift | None = None

    @property
    def noteworthy(self) -> bool:
        """Whether a person should look before merging. An ordinary restart or swap is what everybody expects."""
        blocked = self.policy is None or not self.reachable or self.lock is not None or self.frozen is not None
        odd = bool(self.held) or self.drift is not None or self.preview is None or self.merged is None
        return blocked or odd or _upheaval(self.preview)


def _upheaval(preview: Preview | None) -> bool:
    if preview is None:
        return False
    readdressed = preview.address in (Address.IP, Address.NAME)
    return preview.moved or readdressed or preview.effect is Effect.RECREATE


@dataclass(frozen=True, kw_only=True)
class PullPlan:
    """A pull request at one head, before every environment of its repository."""

    number: int
    head: str
    base_branch: str
    default_branch: str
    fork: bool
    """It comes from another repository: nothing of it is built or run before it is merged."""
    own: Travel | None
    """Commits of its own. None: it could not be read."""
    config: Code | None
    """Why `.github/miso.yml` cannot be used as it would be after the merge; None: it can."""
    changes_config: bool
    """Whether it changes that file. What is shown then is the pull request's own, and used by nobody."""
    stations: tuple[Station, ...] = ()

    @property
    def noteworthy(self) -> bool:
        return self.config is not None or self.own is None or any(station.noteworthy for station in self.stations)


def travel(found: CommitRange | None) -> Travel | None:
    """How many commits lie ahead. None where GitHub could not say."""
    if found is None or found.status == "unknown":
        return None
    return Travel(count=len(found.commits), complete=found.complete)
