"""How the values of settings are written: addresses, hosts, lists. Text in, checked values out.

Used by `bot.settings.fields` only. A `ValueError` says what is wrong, in words that follow the variable's name.
"""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE)
_PATTERN = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)


class Listen(NamedTuple):
    """Where the front door stands. Port 0 takes any free one."""

    host: str
    port: int


def is_loopback(host: str) -> bool:
    """Whether a host name or address literal can only mean this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def is_loopback_url(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


def base_url(value: str, *, plain_on_loopback: bool = True) -> str:
    """A base address without a trailing slash. https only, except on loopback where that is allowed."""
    parts = urlsplit(value.strip())
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("write it as https://host, with a path only if the service has one")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address here has no user name, query or fragment")
    if parts.port == 0:
        raise ValueError("0 is not a port to connect to")
    if parts.scheme == "http" and not (plain_on_loopback and is_loopback(parts.hostname)):
        raise ValueError("it must begin with https://" + (" (http is for loopback only)" if plain_on_loopback else ""))
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def listen(value: str) -> Listen:
    host, port = _address(value)
    return Listen(host, port)


def registries(value: str) -> Mapping[str, str]:
    """`ghcr.io, docker.io=auth.docker.io` → host → host of its token realm (its own where none is named)."""
    found: dict[str, str] = {}
    for item in words(value):
        host, _, realm = (part.strip().lower() for part in item.partition("="))
        for name in (host, realm or host):
            bare, _, port = name.partition(":")
            if not _HOST.fullmatch(bare) or (port and not port.isdecimal()):
                raise ValueError(f"'{item}' is not a host or host=realm-host, without scheme or path")
        if host in found:
            raise ValueError(f"'{host}' stands there twice")
        found[host] = realm or host
    if not found:
        raise ValueError("name at least one registry; images of no other host are ever deployed")
    return found


def connect_to(value: str) -> Mapping[str, tuple[str, int]]:
    """`*.azurewebsites.net=127.0.0.1:8443, …` → host pattern → address and port. The first that matches wins."""
    found: dict[str, tuple[str, int]] = {}
    for item in words(value):
        pattern, equals, target = (part.strip() for part in item.partition("="))
        if not equals or not _PATTERN.fullmatch(pattern):
            raise ValueError(f"'{item}' is not host-pattern=address:port (a pattern is a host, or *. and a domain)")
        address, port = _address(target)
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise ValueError(f"'{address}' is not an IP address; names would be looked up again") from None
        found[pattern.lower()] = (address, port)
    return found


def numbers(value: str) -> frozenset[int]:
    """`12, 34` → a set of positive whole numbers."""
    if bad := [word for word in words(value) if not word.isdecimal() or int(word) == 0]:
        raise ValueError(f"'{bad[0]}' is not a positive whole number")
    return frozenset(int(word) for word in words(value))


def words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def secret(value: str) -> str:
    """A shared secret, exactly as written. Never quoted in a fault (rule 22)."""
    if value != value.strip() or not value.strip():
        raise ValueError("it is blank, or begins or ends with white space")
    if len(value) < 16 or len(set(value)) < 6:
        raise ValueError("it is too short or too simple; take 32 random characters, e.g. `openssl rand -hex 32`")
    return value


def private_file(path: Path) -> Path:
    """A file with a secret inside: ours, regular, closed to everybody else."""
    try:
        found = path.stat()
    except OSError as fault:
        raise ValueError(f"'{path}' cannot be read ({fault.strerror})") from None
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"'{path}' is not a file")
    _closed(path, found, "600")
    return path


def private_directory(path: Path) -> Path:
    """A directory of secrets. It may be missing: it is made when it is first needed."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return path
    except OSError as fault:
        raise ValueError(f"'{path}' cannot be read ({fault.strerror})") from None
    if not stat.S_ISDIR(found.st_mode):
        raise ValueError(f"'{path}' is not a directory")
    _closed(path, found, "700")
    return path


def _closed(path: Path, found: os.stat_result, mode: str) -> None:
    if found.st_mode & 0o077:
        raise ValueError(f"'{path}' is open to other users (mode {stat.S_IMODE(found.st_mode):o}): chmod {mode} {path}")
    if found.st_uid not in (os.geteuid(), 0):
        raise ValueError(f"'{path}' belongs to another user: chown it to the one that runs Miso")


def _address(value: str) -> tuple[str, int]:
    host, colon, port = value.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError("write it as address:port, an IPv6 address in brackets")
    return host, int(port)


def networks(value: object) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """`10.0.0.0/8, ::1`"""
    if not isinstance(value, str):
        raise ValueError("must be text")
    found = []
    for part in filter(None, (each.strip() for each in value.split(","))):
        try:
            found.append(ipaddress.ip_network(part))
        except ValueError:
            raise ValueError(f"'{part}' is not a network like 10.0.0.0/8") from None
    return tuple(found)


def guid(value: str) -> str:
    """A GUID, in lower case."""
    lowered = value.lower()
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", lowered, re.ASCII):
        raise ValueError("must be a GUID like 1b4e28ba-2fa1-4d3b-8c2a-0c5d1f3a9e77")
    return lowered
