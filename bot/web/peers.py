"""Whose request it is, as far as the network tells: the address behind the proxies that the operator listed.

Used by `bot.web.guard`. Anybody can write `X-Forwarded-*`, so it counts only from a listed proxy, and is read from its
end: what a proxy appended is believed before what it was given.
https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Forwarded-For#security_and_privacy_concerns
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST_HOPS = 16
UNKNOWN = "unknown"
"""Whoever comes by a socket without an address."""


def client(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The first address, seen from here, that is no listed proxy. `forwarded`: each `X-Forwarded-For` as it came."""
    nearest = _parsed(peer or "")
    if nearest is None:
        return UNKNOWN
    hops = [hop for line in forwarded for hop in line.split(",")]
    for hop in reversed(hops[-MOST_HOPS:]):
        if not _is_proxy(nearest, trusted):
            break
        before = _parsed(hop)
        if before is None:
            break
        nearest = before
    return str(nearest)


def scheme(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """`https` or `http` as a listed proxy says; "" when none does, because Miso itself never sees TLS."""
    nearest = _parsed(peer or "")
    if nearest is None or not _is_proxy(nearest, trusted) or not forwarded:
        return ""
    return "https" if forwarded[-1].rpartition(",")[2].strip().lower() == "https" else "http"


def counted(address: str) -> str:
    """Under what an address is counted: one household of IPv6 has a whole /64."""
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, 64), strict=False))
    return address


def _is_proxy(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in trusted)


def _parsed(text: str) -> Address | None:
    """An address with or without a port; an IPv4 one that is written as IPv6 is the IPv4 one."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
