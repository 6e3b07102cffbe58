"""ID tokens exchanged a second, against the cryptography alone: verify one RS256 signature, make one of ES256.

The controller is a process of its own and does all that it always does: the run, the decision over the journal, the
token's id spent and the row synced to the disk before the answer. What GitHub says is remembered for a minute, as for a
hundred jobs of one commit. The tokens are made before the clock starts.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bot.sim import scenarios
from bot.sim.scenarios import APPLICATION_ID, PLACES, REPOSITORY, SUBSCRIPTION_ID
from tests.bench import company
from tests.bench.company import Company
from tests.bench.figures import Figure, median, milliseconds, percentile

CONNECTIONS = 16
WISH = 1 / 3
AUDIENCE = "https://miso.example"


async def measure(*, rounds: int, count: int, say: Callable[[str], None]) -> list[Figure]:
    """`count` exchanges in each round, and between them as long of nothing but the two signatures."""
    rates, alone, waits = [], [], []
    with tempfile.TemporaryDirectory(prefix="miso-bench-") as folder:
        async with company.running(Path(folder), TOKEN_REQUESTS_PER_MINUTE="100000") as shop:
            run = await _deployed(shop)
            await _exchanged(shop, await _bodies(shop, run, CONNECTIONS))
            for number in range(rounds):
                say(f"token exchange, round {number + 1} of {rounds}")
                bodies = await _bodies(shop, run, count)
                seconds, each = await _exchanged(shop, bodies)
                rates.append(count / seconds)
                waits.extend(each)
                alone.append(_cryptography(0.2 if count < 50 else 1.0))
    ratio = median([ours / theirs for ours, theirs in zip(rates, alone, strict=True)])
    return [
        Figure(
            group="Tokens",
            what=f"exchanges a second, {CONNECTIONS} at a time",
            value=f"{median(rates):,.0f}",
            against=f"RS256 verified and ES256 signed, alone: {median(alone):,.0f}",
        ),
        Figure(
            group="Tokens",
            what="exchange / its cryptography alone",
            value=f"{ratio:.2f}",
            against=f"p50 {milliseconds(percentile(waits, 0.5))}, p99 {milliseconds(percentile(waits, 0.99))}",
            wish=f"≥ {WISH:.2f}",
            met=ratio >= WISH,
        ),
    ]


async def _deployed(shop: Company) -> int:
    """A release that runs in dev, and the run of a workflow that may deploy it there. Gives the run's id."""
    first = len(shop.requests)
    pull = await scenarios.merge_change(shop.sim, "Add a basket")
    await scenarios.build(shop.sim, pull["merge_commit_sha"])
    await shop.until(first, "success")
    run = await shop.sim.run_workflow(
        REPOSITORY,
        head_sha=pull["merge_commit_sha"],
        path=".github/workflows/deploy.yml",
        event="workflow_dispatch",
        conclusion=None,
    )
    await shop.quiet()
    return int(run["id"])


async def _bodies(shop: Company, run: int, count: int) -> list[bytes]:
    return [await _body(shop, run) for _ in range(count)]


async def _body(shop: Company, run: int) -> bytes:
    """One request: a token that nobody used before."""
    minted = await shop.sim.actions_token(REPOSITORY, audience=shop.public_url, environment="dev", run_id=run)
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": minted["token"],
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "application_id": APPLICATION_ID,
        "subscription_id": SUBSCRIPTION_ID,
        "environment_id": PLACES[0].id,
    }
    return urlencode(form).encode()


async def _exchanged(shop: Company, bodies: list[bytes]) -> tuple[float, list[float]]:
    """Seconds for all of them, and for each."""
    waiting, each = list(bodies), list[float]()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def client() -> None:
            while waiting:
                began = time.perf_counter()
                async with session.post(f"{shop.public_url}/oidc/token", data=waiting.pop()) as answer:
                    text = await answer.text()
                    if answer.status != 200:
                        raise RuntimeError(f"an exchange was refused: {text[:300]}")
                each.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
        return time.perf_counter() - began, each


def _cryptography(seconds: float) -> float:
    """Pairs of one verified and one made signature a second, with keys that were loaded once."""
    theirs = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ours = ec.generate_private_key(ec.SECP256R1())
    now = int(time.time())
    claims = {"iss": AUDIENCE, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 600, "jti": "a"}
    token, public = jwt.encode(claims, theirs, algorithm="RS256"), theirs.public_key()
    began, many = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        jwt.decode(token, public, algorithms=["RS256"], audience=AUDIENCE, issuer=AUDIENCE)
        jwt.encode(claims, ours, algorithm="ES256", headers={"typ": "at+jwt"})
        many += 1
    return many / spent
