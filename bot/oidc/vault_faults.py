"""From the SDK's errors of Key Vault and managed identity to ours. Used by `bot.oidc.vault` alone.

What a vault or an identity service says goes no further: their texts name tenants, keys and callers.
"""

from __future__ import annotations

import re

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import CredentialUnavailableError

from bot.domain.codes import Code
from bot.domain.messages import explain, refusal
from bot.errors import ConfigError, MisoError, Transient

FORBIDDEN = frozenset({400, 401, 403})


def classified(fault: Exception) -> MisoError:
    """Refused where asking again does not help, Transient where it may."""
    if isinstance(fault, CredentialUnavailableError):
        # 400: there is a service, and it knows no such identity. Anything else: nobody answered.
        cause = fault.__cause__
        known = isinstance(cause, HttpResponseError) and cause.status_code in FORBIDDEN
        return refusal(Code.KEY_VAULT_FORBIDDEN) if known else _later()
    if isinstance(fault, HttpResponseError):
        status = fault.status_code or 0
        if status in (401, 403) or (isinstance(fault, ClientAuthenticationError) and status in FORBIDDEN):
            return refusal(Code.KEY_VAULT_FORBIDDEN)
        return _later(fault)
    if type(fault) is ValueError:
        # The SDK's own check of the challenge; what cannot be read raises kinds of it.
        return ConfigError(
            ["MISO_KEY_VAULT_URL is not the address of a key vault: what answers there asks for another token"]
        )
    return _later()


def _later(fault: HttpResponseError | None = None) -> Transient:
    headers = getattr(getattr(fault, "response", None), "headers", None) or {}
    asked = str(headers.get("Retry-After", ""))
    wait = float(asked) if re.fullmatch(r"\d{1,4}", asked) else None
    return Transient(Code.KEY_VAULT_UNAVAILABLE, explain(Code.KEY_VAULT_UNAVAILABLE).sentence, retry_after=wait)
