"""A certificate authority for the pretend world: servers that answer to any name they are asked for.

Only this world's CA file makes their certificates good; nothing is installed anywhere.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Authority:
    def __init__(self, directory: Path) -> None:
        self._ca = trustme.CA()
        self.file = directory / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)
        self._contexts: dict[str, ssl.SSLContext] = {}

    def server(self) -> ssl.SSLContext:
        """A context for loopback that mints a certificate for whatever other name a client asks (SNI)."""
        context = self._issue(LOOPBACK)

        def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if name and name not in LOOPBACK:
                if name not in self._contexts:
                    self._contexts[name] = self._issue((name,))
                connection.context = self._contexts[name]

        context.sni_callback = choose
        return context

    def client(self) -> ssl.SSLContext:
        """A context that trusts this authority alone: nobody in this world speaks to the other one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._ca.configure_trust(context)
        return context

    def _issue(self, names: tuple[str, ...]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names).configure_cert(context)
        return context
