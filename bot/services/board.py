"""What each surface on GitHub shows of one stream, compared with what it should show: only the difference is sent.

Called by `reporting` and its neighbours that show one kind of stream each. Before it creates anything whose fate it
does not know, it looks for our own mark. It reads nothing from GitHub to decide by, and knows no sentences.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from bot.context import Miso, Repository
from bot.domain.canonical import digest_of
from bot.domain.model import CheckRun, Surface
from bot.errors import Transient


@dataclass(frozen=True, kw_only=True)
class Board:
    """What is shown of a stream now, and how to change it."""

    miso: Miso
    stream: str
    seq: int
    shown: dict[str, Surface]

    async def put(
        self,
        surface: str,
        body: str,
        *,
        create: Callable[[], Awaitable[int]],
        update: Callable[[int], Awaitable[bool]] | None = None,
        find: Callable[[], Awaitable[int | None]] | None = None,
    ) -> int:
        """Make this surface show `body` (a hash of it): create it, find our lost one, update it, or do nothing."""
        known = self.shown.get(surface)
        if known is not None and known.remote_id and known.body_hash == body:
            return known.remote_id
        remote = known.remote_id if known else 0
        if not remote and known is not None and find is not None:
            # We began to create it once and never heard the answer: look before creating another.
            remote = await find() or 0
        if remote and update is not None:
            remote = remote if await update(remote) else 0
        if not remote:
            await self._save(surface, 0, "")
            remote = await create()
        await self._save(surface, remote, body)
        return remote

    async def _save(self, surface: str, remote: int, body: str) -> None:
        saved = Surface(stream=self.stream, surface=surface, remote_id=remote, shown_seq=self.seq, body_hash=body)
        await self.miso.store.save_surface(saved)
        self.shown[surface] = saved


async def board_of(miso: Miso, stream: str, seq: int) -> Board:
    """The board of a stream that was read up to `seq`."""
    shown = {surface.surface: surface for surface in await miso.store.surfaces(stream)}
    return Board(miso=miso, stream=stream, seq=seq, shown=shown)


async def take_turns(*surfaces: Callable[[], Awaitable[None]]) -> None:
    """Every surface gets its turn, whatever happens to another; then the trouble is told.

    One after another, the status first: GitHub wants writes in a row and with pauses, so side by side the last would
    not come sooner and the first would come later. Nothing is left running when this ends: a create that is still under
    way would be made again by the next call.
    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#avoid-concurrent-requests
    """
    troubles: list[BaseException] = []
    for surface in surfaces:
        ended = await asyncio.gather(surface(), return_exceptions=True)
        troubles += [trouble for trouble in ended if isinstance(trouble, BaseException)]
    if troubles:
        raise next((trouble for trouble in troubles if isinstance(trouble, Transient)), troubles[0])


async def put_check(board: Board, repository: Repository, check: CheckRun, *, surface: str = "check") -> None:
    """Bring a check run up to date. `surface` tells those of one stream apart."""

    async def create() -> int:
        return await repository.create_check(check)

    async def update(check_id: int) -> bool:
        await repository.update_check(check_id, check)
        return True

    async def find() -> int | None:
        return await repository.find_check(sha=check.head_sha, name=check.name, external_id=check.external_id)

    await board.put(surface, digest_of(asdict(check)), create=create, update=update, find=find)


def hash_of(body: str) -> str:
    """What `Board.put` compares of a text."""
    return hashlib.sha256(body.encode()).hexdigest()
