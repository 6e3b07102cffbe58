"""Durable webhook intake against an empty aiohttp handler: rounds of both in turn, medians of the ratios."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.bench import settings
from tests.bench.figures import Figure, median, milliseconds, percentile
from tests.bench.processes import child, free_port

CONNECTIONS = 16


async def measure(*, rounds: int, count: int, say: Callable[[str], None]) -> list[Figure]:
    """`count` deliveries a round and server."""
    with tempfile.TemporaryDirectory(prefix="miso-bench-") as folder:
        port = free_port()
        given = settings.controller(_nowhere(Path(folder)), data=Path(folder) / "data", port=port)
        async with (
            child("tests.bench.servers", "empty") as yardstick,
            child("tests.bench.servers", "web", environment=given) as miso,
        ):
            ports = {"empty": int((await yardstick.line())["port"]), "miso": int((await miso.line())["port"])}
            for name, where in ports.items():
                await _round(name, where, min(200, count), seed=99)
            results: dict[str, list[dict[str, float]]] = {name: [] for name in ports}
            for number in range(rounds):
                say(f"webhook intake, round {number + 1} of {rounds}")
                order = list(ports) if number % 2 == 0 else list(reversed(ports))
                for name in order:
                    results[name].append(await _round(name, ports[name], count, seed=number))
    return _figures(results)


async def _round(name: str, port: int, count: int, *, seed: int) -> dict[str, float]:
    async with child("tests.bench.load", str(port), str(count), str(CONNECTIONS), str(seed)) as load:
        told = await load.line(60)
    if told["statuses"] != {"202": count}:
        raise RuntimeError(f"{name} answered {told['statuses']} to {count} deliveries")
    samples = told["latencies"]
    return {
        "rate": count / told["seconds"],
        "p50": percentile(samples, 0.5),
        "p99": percentile(samples, 0.99),
        "busy": told["busy"],
    }


def _figures(results: dict[str, list[dict[str, float]]]) -> list[Figure]:
    empty, miso = results["empty"], results["miso"]

    def middle(name: str) -> tuple[float, float, float]:
        """Median of the ratios of a round, then both medians."""
        pairs = [(ours[name], theirs[name]) for ours, theirs in zip(miso, empty, strict=True)]
        ratio = median([ours / theirs for ours, theirs in pairs])
        return ratio, median([ours for ours, _ in pairs]), median([theirs for _, theirs in pairs])

    rate, late = middle("rate"), middle("p99")
    busiest = max(each["busy"] for each in [*empty, *miso])
    group = "Webhook intake"
    return [
        Figure(
            group=group,
            what="deliveries a second, each fsynced before its 202",
            value=f"{rate[0]:.2f}",
            against=f"of an empty aiohttp handler ({rate[1]:,.0f} to {rate[2]:,.0f} a second)",
            wish="≥ 0.30",
            met=rate[0] >= 0.3,
        ),
        Figure(
            group=group,
            what="p99 of an answer",
            value=f"{late[0]:.1f} ×",
            against=f"the empty handler's ({milliseconds(late[1])} to {milliseconds(late[2])})",
        ),
        Figure(group=group, what="load generator", value=f"{busiest:.0%}", against="of a core at its busiest"),
    ]


def _nowhere(folder: Path) -> dict[str, str | int]:
    """Addresses of a world that is never asked, and an App key that never signs."""
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    key = folder / "app.pem"
    key.touch(mode=0o600)
    key.write_bytes(pem)
    return {
        "github": "http://127.0.0.1:9",
        "web": "http://127.0.0.1:9",
        "entra": "https://127.0.0.1:9",
        "arm": "https://127.0.0.1:9",
        "registry": "127.0.0.1:9",
        "apps_http": 9,
        "apps_https": 9,
        "app_id": 4242,
        "app_key_file": str(key),
        "ca_file": "",
    }
