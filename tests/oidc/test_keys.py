"""The key ring on disk: made once, kept, closed to others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bot.errors import ConfigError
from bot.oidc.keys import open_ring, thumbprint

NAME = "assertion.0001.pem"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def put(directory: Path, content: bytes, name: str = NAME, mode: int = 0o600) -> Path:
    directory.mkdir(mode=0o700, exist_ok=True)
    file = directory / name
    file.write_bytes(content)
    file.chmod(mode)
    return file


def test_first_start_makes_a_closed_ring(directory: Path) -> None:
    ring = open_ring(directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert [(f.name, f.stat().st_mode & 0o777) for f in directory.iterdir()] == [(NAME, 0o600)]
    assert ring.current.kid == ring.jwks()["keys"][0]["kid"]


def test_restart_keeps_the_key(directory: Path) -> None:
    assert open_ring(directory).jwks() == open_ring(directory).jwks()


def test_two_starting_at_once_get_one_ring(directory: Path) -> None:
    code = (
        "import json, pathlib, sys; from bot.oidc.keys import open_ring;"
        " print(json.dumps(open_ring(pathlib.Path(sys.argv[1])).jwks()))"
    )
    command = [sys.executable, "-c", code, str(directory)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    rings = [run.communicate(timeout=60)[0] for run in runs]
    assert all(run.returncode == 0 for run in runs)
    assert len(set(rings)) == 1
    assert [f.name for f in directory.iterdir()] == [NAME]
    assert json.loads(rings[0]) == open_ring(directory).jwks()


def test_who_makes_a_key_too_late_takes_the_winners(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another replica finishes between our look and our link."""
    make, rings = rsa.generate_private_key, []

    def slowly(public_exponent: int, key_size: int) -> rsa.RSAPrivateKey:
        monkeypatch.setattr(rsa, "generate_private_key", make)
        rings.append(open_ring(directory))
        return make(public_exponent, key_size)

    monkeypatch.setattr(rsa, "generate_private_key", slowly)
    assert open_ring(directory).jwks() == rings[0].jwks()
    assert [f.name for f in directory.iterdir()] == [NAME]


def test_newest_key_signs_and_all_are_published(directory: Path) -> None:
    old = open_ring(directory)
    put(directory, pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)), "assertion.0002.pem")
    ring = open_ring(directory)
    assert len(ring.keys) == 2
    assert ring.keys[0].kid == old.current.kid != ring.current.kid
    assert [key["kid"] for key in ring.jwks()["keys"]] == [key.kid for key in ring.keys]


def test_rule_17_the_private_part_is_never_shown(directory: Path) -> None:
    ring = open_ring(directory)
    assert set(ring.jwks()["keys"][0]) == {"kty", "n", "e", "kid", "use", "alg"}
    body = (directory / NAME).read_text().splitlines()[5]
    assert "private" not in repr(ring)
    assert body not in repr(ring)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_loose_file_is_refused(directory: Path, mode: int) -> None:
    open_ring(directory)
    (directory / NAME).chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        open_ring(directory)


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777])
def test_loose_directory_is_refused(directory: Path, mode: int) -> None:
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 700"):
        open_ring(directory)
    assert list(directory.iterdir()) == []


def test_foreign_owner_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_ring(directory)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ConfigError, match="another user"):
        open_ring(directory)


def test_links_are_refused(directory: Path, tmp_path: Path) -> None:
    open_ring(directory)
    (tmp_path / "elsewhere").symlink_to(directory)
    with pytest.raises(ConfigError, match="links"):
        open_ring(tmp_path / "elsewhere")
    (directory / NAME).rename(directory / "real")
    (directory / NAME).symlink_to(directory / "real")
    with pytest.raises(ConfigError):
        open_ring(directory)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a key",
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
    ],
    ids=["empty", "text", "other algorithm", "too short"],
)
def test_what_is_no_such_key_is_refused_not_replaced(directory: Path, content: bytes) -> None:
    file = put(directory, content)
    with pytest.raises(ConfigError, match="holds no"):
        open_ring(directory)
    assert file.read_bytes() == content


def test_missing_parent_is_a_fault_of_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read or made"):
        open_ring(tmp_path / "none" / "keys")


def test_kid_is_the_thumbprint_of_rfc_7638() -> None:
    """The example of https://www.rfc-editor.org/rfc/rfc7638#section-3.1."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn"
        "1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    assert thumbprint({"kty": "RSA", "n": n, "e": "AQAB"}) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
