"""What Entra says when it does not take an assertion: its codes, what is wrong then, and who does what.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_CODE = re.compile(r"\bAADSTS(\d{4,8})\b")


@dataclass(frozen=True)
class Meaning:
    """A code in words."""

    found: str
    following: str


_CREDENTIAL = "Create or correct the federated credential with exactly the values below; Entra compares every letter."
MEANINGS: Mapping[str, Meaning] = {
    "70021": Meaning("no federated credential matches issuer, subject and audience", _CREDENTIAL),
    "700211": Meaning("no federated credential names this issuer", _CREDENTIAL),
    "700212": Meaning("a federated credential names this issuer, but another audience", _CREDENTIAL),
    "700213": Meaning("a federated credential names this issuer, but another subject", _CREDENTIAL),
    "7002138": Meaning(
        "a federated credential differs from the assertion, perhaps only in upper and lower case", _CREDENTIAL
    ),
    "700016": Meaning(
        "the tenant knows no application or identity with this client id",
        "Compare client_id and tenant_id of the registration with the managed identity.",
    ),
    "90002": Meaning("there is no such tenant", "Correct tenant_id in the registration and `miso register` it again."),
    "50027": Meaning("the assertion was not understood", "Update Miso; if it stays, this is a fault of Miso."),
    "50166": Meaning(
        "Entra could not read the issuer's documents",
        "MISO_PUBLIC_URL must be reachable from the internet over https, and `miso serve` must run there.",
    ),
    "700024": Meaning("the assertion's times are not valid now", "Set this machine's clock (NTP)."),
    "700027": Meaning(
        "the signature does not fit the published keys",
        "The keys that MISO_PUBLIC_URL serves must be those in the data directory of this controller.",
    ),
    "7000215": Meaning(
        "the client secret is wrong, although Miso uses none",
        "Something between here and Entra changes requests; look at MISO_ENTRA_AUTHORITY.",
    ),
    "7000222": Meaning(
        "the application's keys have run out", "Miso needs none: remove them and use the federated credential."
    ),
    "53003": Meaning(
        "a Conditional Access policy blocks it", "Exclude this workload identity, or allow this controller's address."
    ),
    "700030": Meaning("a certificate is not accepted", "Miso uses none: check that client_id is the identity's."),
}


def code_of(message: str) -> str:
    """The number of the first AADSTS code in Entra's text; "" when there is none."""
    found = _CODE.search(message)
    return found[1] if found else ""


def meaning(code: str) -> Meaning:
    """What a code means; an unknown one is told as such."""
    unknown = Meaning("Entra did not take the assertion", f"Look AADSTS{code} up on login.microsoftonline.com/error.")
    return MEANINGS.get(code, unknown)
