"""The window to deployed hosts: one GET that asks "are you well?", made so that it can reach nothing else (rule 18).

`bot.services` calls it through `Miso.probe`, with a host that ARM returned for a resource of ours. It looks the host up
itself, refuses addresses that no deployed application has, and connects to exactly the address it judged. It follows no
redirect, stops reading after 64 KiB, and never keeps, returns or logs a byte of the body.

Public addresses and private ones (RFC 1918, RFC 4193) are allowed: applications may stand in a virtual network that the
controller reaches. Loopback, link-local, metadata, carrier, multicast, reserved and unspecified ones are not.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bot.domain.model import Health, ProbeResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""Host name → addresses, as text. Raises OSError when there are none."""

BODY_MOST: Final = 64 * 1024
PATH = re.compile(r"/(?!/)[!-\"$-\[\]-~]{0,2047}")
"""One slash, then printable ASCII: no second slash (another host), no fragment, no backslash, no blanks."""
HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.I)

PRIVATE: Final = tuple(ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
METADATA: Final = tuple(
    ipaddress.ip_address(a)
    for a in (
        "169.254.169.254",  # Azure, AWS and most others
        "168.63.129.16",  # Azure's wire server, a public address: https://learn.microsoft.com/azure/virtual-network
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google
        "100.100.100.200",  # Alibaba
    )
)
NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class ProbeWindow:
    """Asks deployed hosts. One connection a question; nothing is kept between two.

    `ssl_context` verifies hosts. `connect_to` maps host patterns (`host` or `*.domain`) to address and port, like
    curl's option of that name: the operator vouches for the address; Host header and certificate name stay the host's.
    `allow_local` lets loopback addresses pass. `timeout` is the most seconds for everything together.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext,
        connect_to: Mapping[str, tuple[str, int]] | None = None,
        allow_local: bool = False,
        timeout: float = 5.0,
        lookup: Lookup | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._ssl_context = ssl_context
        self._connect_to = connect_to or {}
        self._allow_local = allow_local
        self._timeout = timeout
        self._lookup = lookup or _system_lookup
        self._timer = timer

    async def ask(self, host: str, path: str, *, port: int, tls: bool) -> ProbeResult:
        """Healthy only for a status of 200 to 299. What could not be asked is unknown. Never raises for either."""
        began = self._timer()
        ask = _Ask()
        try:
            async with asyncio.timeout(self._timeout):
                health, code = await self._judge(ask, host, path, port, tls)
        except TimeoutError:
            # It took our connection and then kept silent: that is its own fault, not the road's.
            health, code = (Health.UNHEALTHY if ask.connected else Health.UNKNOWN), "timeout"
        spent = int((self._timer() - began) * 1000)
        return ProbeResult(health=health, code=code, status=ask.status, milliseconds=spent)

    async def _judge(self, ask: _Ask, host: str, path: str, port: int, tls: bool) -> tuple[Health, str]:
        if not PATH.fullmatch(path):
            return Health.UNKNOWN, "path_refused"
        if not HOST.fullmatch(host) or _is_address(host):
            # An address needs no lookup, so nothing would judge it; Azure's hosts have names.
            return Health.UNKNOWN, "host_refused"
        try:
            where = await self._where(host.lower(), port)
        except OSError:
            return Health.UNKNOWN, "dns"
        if where is None:
            return Health.UNKNOWN, "address_refused"
        url = URL(f"{'https' if tls else 'http'}://{host}:{port}{path}", encoded=True)
        return await self._get(ask, url, where)

    async def _get(self, ask: _Ask, url: URL, where: Sequence[tuple[str, int]]) -> tuple[Health, str]:
        try:
            status = await ask.get(url, where, self._ssl_context)
        except aiohttp.ClientSSLError:
            return Health.UNKNOWN, "tls"
        except aiohttp.ClientConnectorError as fault:
            refused = isinstance(fault.os_error, ConnectionRefusedError)
            return Health.UNKNOWN, "refused" if refused else "unreachable"
        except aiohttp.ServerDisconnectedError:
            return (Health.UNHEALTHY if ask.connected else Health.UNKNOWN), "disconnected"
        except (aiohttp.ClientError, OSError, ValueError):
            return (Health.UNHEALTHY if ask.connected else Health.UNKNOWN), "malformed"
        if 300 <= status < 400:
            return Health.UNHEALTHY, "redirect"
        return (Health.HEALTHY, "ok") if 200 <= status < 300 else (Health.UNHEALTHY, f"status_{status}")

    async def _where(self, host: str, port: int) -> Sequence[tuple[str, int]] | None:
        """Addresses and ports to connect to; None when they are refused.

        One refused address refuses them all: a name that mixes them is somebody's trick.
        """
        for pattern, target in self._connect_to.items():
            if pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:])):
                return [target]
        addresses = await self._lookup(host)
        if not addresses or not all(allowed(address, self._allow_local) for address in addresses):
            return None
        return [(address, port) for address in addresses]


@dataclass
class _Ask:
    """One question on its way: how far it got."""

    connected: bool = False
    status: int = 0
    _trace: aiohttp.TraceConfig = field(default_factory=aiohttp.TraceConfig)

    async def get(self, url: URL, where: Sequence[tuple[str, int]], ssl_context: ssl.SSLContext) -> int:
        async def connected(*_: Any) -> None:
            self.connected = True

        self._trace.on_connection_create_end.append(connected)
        connector = aiohttp.TCPConnector(
            resolver=_Pinned(where), ssl=ssl_context, force_close=True, use_dns_cache=False, limit=1
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # what cannot swell needs no second cap
                trust_env=False,  # a proxy would do its own lookup
                trace_configs=[self._trace],
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"User-Agent": "miso-probe", "Accept": "*/*"},
            ) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            self.status = response.status
            left = BODY_MOST
            while left > 0 and (chunk := await response.content.read(left)):
                left -= len(chunk)
            return response.status


class _Pinned(AbstractResolver):
    """Answers with the addresses that were judged, so that no second lookup can give others (DNS rebinding)."""

    def __init__(self, where: Sequence[tuple[str, int]]) -> None:
        self._where = where

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=to,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address, to in self._where
        ]

    async def close(self) -> None:
        """Nothing is held."""


def allowed(text: str, allow_local: bool = False) -> bool:
    """Whether a deployed application may stand at this address."""
    try:
        # A scope (fe80::1%eth0) belongs to link-local addresses only.
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    address = _embedded(address)
    if address in METADATA or address.is_multicast or address.is_unspecified or address.is_link_local:
        return False
    if address.is_loopback:
        return allow_local
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global or any(address in network for network in PRIVATE if network.version == address.version)


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to, where it only wraps one."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address


def _is_address(host: str) -> bool:
    """Also the short and odd forms that the system would take for one: `127.1`, `0x7f.1`, `2130706433`."""
    last = host.rstrip(".").rpartition(".")[2]
    return last.isdecimal() or bool(re.fullmatch(r"0x[0-9a-f]*", last, re.I))


async def _system_lookup(host: str) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
