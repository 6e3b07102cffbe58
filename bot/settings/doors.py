"""The settings of who comes in and how that is proven: tokens for workflows, signing keys, sign-in, limits.

Inherited by `bot.settings.fields.Settings`, which reads them. A check that needs two of them stands here.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from bot.settings.declaring import Guid, HttpsUrl, Networks, Url, described, opening


class DoorSettings(BaseSettings):
    """Everything about identities and doors. Durations are in the unit that the name says."""

    # --- tokens for workflows
    token_audience: str = opening(
        "Tokens for workflows",
        described(
            "text",
            "Audience that ID tokens of workflows must carry, and that deploy tokens are issued for. Left out: the"
            " public address.",
            "",
            max_length=200,
            pattern=r"^[!-~]*$",
        ),
    )
    token_minutes: int = described("minutes", "How long a deploy token lives.", 10, ge=1, le=60)
    workflow_assertions: bool = described(
        "true or false",
        "Give workflows with a deploy token an Azure assertion of their own (`miso:workflow:<environment>`), never for"
        " production. Each environment then needs a federated credential for that subject.",
        False,
    )

    # --- signing keys
    key_vault_url: HttpsUrl | Literal[""] = opening(
        "Signing keys",
        described(
            "https url",
            "Key Vault that holds the signing keys, opened by the managed identity of the host. Left out: files in the"
            " data directory.",
            "",
        ),
    )
    managed_identity: Guid | Literal[""] = described(
        "guid", "Client id of the host's managed identity, where it has several.", ""
    )
    key_days: float = described("days", "A signing key is replaced after this.", 90.0, gt=0, le=3650)
    key_publish_hours: float = described(
        "hours", "A new key is published for so long before it signs.", 24.0, ge=0, le=720
    )
    key_keep_hours: float = described(
        "hours", "A replaced key stays published for so long after it last signed.", 48.0, ge=2, le=2160
    )

    # --- sign-in
    sign_in: Literal["off", "entra", "oidc"] = opening(
        "Sign-in",
        described("off, entra or oidc", "Where people sign in for pages, API and command line.", "off"),
    )
    sign_in_tenant: Guid | Literal[""] = described("guid", "Entra tenant whose people may sign in.", "")
    sign_in_client_id: str = described(
        "text", "Client id of the application that people sign in to.", "", max_length=200, pattern=r"^[!-~]*$"
    )
    sign_in_issuer: Url | Literal[""] = described("url", "Issuer of another OpenID provider than Entra.", "")
    sign_in_groups_claim: str = described(
        "name", "Claim of the ID token that names groups.", "groups", pattern=r"^[A-Za-z0-9_:./-]{1,100}$"
    )
    session_idle_minutes: float = described(
        "minutes", "A session that nobody used for so long ends.", 60.0, ge=1, le=1440
    )
    session_hours: float = described("hours", "A session ends after this, used or not.", 12.0, gt=0, le=168)
    roles_minutes: float = described(
        "minutes", "Groups and roles of a sign-in count for so long before they are asked for again.", 10.0, ge=1, le=10
    )
    device_sign_in: bool = described(
        "true or false", "Let the command line sign in by a code that is typed in a browser.", True
    )
    access_minutes: float = described(
        "minutes", "How long an access token of the command line lives.", 15.0, ge=1, le=60
    )
    refresh_days: float = described("days", "The command line must sign in anew after this.", 14.0, gt=0, le=90)

    # --- doors
    trusted_proxies: Networks = opening(
        "Doors",
        described(
            "network, …",
            "Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, e.g. `10.0.0.0/8`.",
            "",
        ),
    )
    token_requests_per_minute: int = described(
        "number", "Requests that one address may make to the token routes in a minute.", 120, ge=1, le=100_000
    )
    sign_in_requests_per_minute: int = described(
        "number", "Requests that one address may make to the sign-in pages in a minute.", 30, ge=1, le=100_000
    )
    api_requests_per_minute: int = described(
        "number", "Requests that one principal may make to the API in a minute.", 600, ge=1, le=1_000_000
    )
    inbox_days: float = described(
        "days",
        "Bodies of webhooks are erased when they were processed; those that could not be, after this.",
        7.0,
        gt=0,
        le=7,
    )

    @field_validator("sign_in_client_id")
    @classmethod
    def _named(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("sign_in", "off") != "off" and not value:
            raise ValueError("sign-in needs it")
        if info.data.get("sign_in") == "entra" and not info.data.get("sign_in_tenant"):
            raise ValueError("sign-in with Entra needs MISO_SIGN_IN_TENANT too")
        return value

    @field_validator("sign_in_issuer")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("sign_in") == "oidc" and not value:
            raise ValueError("sign-in with another provider needs its issuer")
        return value
