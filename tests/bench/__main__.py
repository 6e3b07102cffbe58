"""`python -m tests.bench`: everything, in under four minutes. `--quick` runs each part once and writes nothing."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable

from rich.console import Console

from tests.bench import deciding, exchanging, intake, page, promoting, signing
from tests.bench.figures import Figure

PARTS = ("intake", "signing", "promotions", "pace", "decisions", "tokens")


async def measure(parts: tuple[str, ...], *, small: bool, say: Callable[[str], None]) -> list[Figure]:
    """The figures of these parts, in the order of `PARTS`."""
    rounds = 1 if small else 5
    figures: list[Figure] = []
    if "intake" in parts:
        figures += await intake.measure(rounds=rounds, count=100 if small else 3000, say=say)
    if "promotions" in parts:
        figures += await promoting.quick(builds=2 if small else 40, through=1 if small else 30, say=say)
    if "pace" in parts:
        figures += await promoting.at_the_pace_of_life(pulls=1 if small else 2, say=say)
    if "signing" in parts:
        figures += await signing.measure(rounds=rounds, seconds=0.1 if small else 1.0, say=say)
    if "decisions" in parts:
        figures += await deciding.measure(rounds=rounds, small=small, say=say)
    if "tokens" in parts:
        figures += await exchanging.measure(rounds=rounds, count=20 if small else 500, say=say)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them, unless named")
    parser.add_argument("--quick", action="store_true", help="tiny counts: does every part run?")
    given = parser.parse_args()
    console = Console(soft_wrap=False)
    with console.status("measuring") as status:
        figures = asyncio.run(measure(tuple(given.parts) or PARTS, small=given.quick, say=status.update))
    page.show(figures, console)
    if not given.parts and not given.quick:
        console.print(f"written: {page.write(figures).relative_to(page.PAGE.parents[1])}")


if __name__ == "__main__":
    main()
