"""Every setting of Miso, once: its name, form, default and meaning. `MISO_<FIELD>` in the environment.

Values are written as an operator writes them and checked while they are read; defaults pass the same checks. A check
that needs a second field looks at one that stands above. Only `bot.settings.loading` makes a `Settings`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, PrivateAttr, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from bot.domain.rules import PolicySet, Rules
from bot.domain.trust import Book
from bot.settings import folders, forms
from bot.settings.declaring import (
    PREFIX,
    ConnectTo,
    HttpsUrl,
    Listen,
    Numbers,
    Registries,
    Secret,
    Url,
    described,
    opening,
)
from bot.settings.doors import DoorSettings


class Settings(DoorSettings):
    """What the operator decided. Frozen; secrets never show in its repr. Durations are seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, validate_default=True)

    # --- GitHub
    github_api_url: Url = opening(
        "GitHub",
        described(
            "url",
            "Base address of GitHub's REST API; `https://HOST/api/v3` for GitHub Enterprise Server.",
            "https://api.github.com",
        ),
    )
    github_web_url: Url = described("url", "Base address of GitHub's pages, for links.", "https://github.com")
    app_id: int = described("number", "Numeric id of the GitHub App.", gt=0)
    app_slug: str = described(
        "name", "Short name of the App, as in its page's address.", "miso", pattern=r"^[a-z0-9][a-z0-9-]*$"
    )
    app_private_key_file: Annotated[Path, AfterValidator(forms.private_file)] = described(
        "file", "The App's private key (PEM). Nobody but the user that runs Miso may read it (mode 600)."
    )
    webhook_secret: Secret = described("secret", "Secret of the App's webhook, at least 16 characters.", repr=False)
    webhook_secret_previous: Secret | None = described(
        "secret", "The secret before, still accepted while it is being changed.", None, repr=False
    )
    github_write_spacing: float = described(
        "seconds", "Pause between two writes to GitHub of one installation, as GitHub asks of Apps.", 1.0, ge=0, le=10
    )

    # --- this controller
    public_url: Url = opening(
        "This controller",
        described(
            "url",
            "Address under which GitHub, Entra and people reach Miso; issuer of its assertions. Changing it means"
            " changing every federated credential.",
        ),
    )
    listen: Listen = described(
        "address:port", "Where the web server listens; port 0 takes a free one.", "127.0.0.1:8080"
    )
    controller_name: str = described(
        "name",
        "Name of this installation, kept in the tag `miso-owner` of each Azure resource. Installations never"
        " touch one another's resources.",
        "miso",
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    )
    data_dir: Annotated[Path, AfterValidator(forms.private_directory)] = described(
        "directory", "Database and signing keys. Made with mode 700; refused when others may look inside.", ".miso"
    )
    config_dir: Path = described(
        "directory",
        "`policy.yml`, `trust/` and `catalog/`. Without it: `config/` of a checkout, else the packaged one.",
        "",
    )
    ca_file: Path | None = described(
        "file", "Further certificate authorities to trust (PEM), beside the system's.", None
    )
    log_level: Literal["debug", "info", "warning", "error"] = described(
        "debug, info, warning or error", "The least level that is logged.", "info"
    )
    log_format: Literal["auto", "json", "console"] = described(
        "auto, json or console", "`auto` is for people on a terminal and JSON elsewhere.", "auto"
    )

    # --- Azure
    entra_authority: HttpsUrl = opening(
        "Azure", described("https url", "Base address of Entra ID.", "https://login.microsoftonline.com")
    )
    arm_url: HttpsUrl = described(
        "https url", "Base address of Azure Resource Manager.", "https://management.azure.com"
    )
    azure_poll_seconds: float = described(
        "seconds", "Pause between two looks at a running operation, where Azure names none.", 5.0, ge=0.01, le=60
    )
    step_deadline: float = described(
        "seconds", "Longest that one step in Azure may take, polling included.", 900.0, ge=10, le=7200
    )
    step_attempts: int = described(
        "number", "Tries of a deployment or rollback before it is left to a person.", 5, ge=1, le=50
    )
    settle_seconds: float = described(
        "seconds", "How long a request that was cut off may still arrive at Azure.", 60.0, ge=0, le=600
    )
    observe_deadline: float = described("seconds", "Longest that one reading of Azure may take.", 30.0, ge=1, le=300)

    # --- images and probes
    allow_local_hosts: bool = opening(
        "Images and probes",
        described(
            "true or false", "Allow loopback hosts for registries and probes. For demonstrations and tests.", False
        ),
    )
    registries: Registries = described(
        "host[=realm-host], …",
        "Registries that images may come from; `=` names the host of their token service where"
        " that is another one, e.g. `ghcr.io, docker.io=auth.docker.io`.",
    )
    probe_connect_to: ConnectTo = described(
        "pattern=address:port, …",
        "Connect probes of matching hosts to another address, e.g."
        " `*.azurewebsites.net=127.0.0.1:8443`. Host header and certificate name stay the host's.",
        "",
    )
    probe_timeout: float = described("seconds", "Longest that one probe may take.", 5.0, ge=0.1, le=60)
    probe_attempts: int = described("number", "Probes before a deployment is judged unhealthy.", 10, ge=1, le=200)
    probe_interval: float = described("seconds", "Pause between two probes.", 3.0, ge=0, le=300)
    probe_successes: int = described("number", "Healthy answers in a row that are asked for.", 2, ge=1, le=200)

    # --- limits
    bots_that_may_request: Numbers = opening(
        "Limits",
        described("number, …", "Ids of GitHub Apps whose comments may ask for a promotion. None may ever approve.", ""),
    )
    commands_per_hour: int = described("number", "Commands that one person may give in one repository.", 60, ge=1)
    pull_request_commands_per_hour: int = described(
        "number", "Commands that one pull request takes, from all people together.", 240, ge=1
    )
    lease_ttl: float = described(
        "seconds", "How long a silent worker keeps its hold on an environment.", 10.0, ge=1, le=300
    )
    write_deadline: float = described(
        "seconds", "Longest that one request to the outside may take; shorter than `MISO_LEASE_TTL`.", 8.0, gt=0
    )
    delivery_attempts: int = described(
        "number", "Tries of a webhook delivery before it is parked for a person.", 12, ge=1, le=100
    )
    retry_seconds: float = described(
        "seconds", "First pause after trouble outside; it doubles up to a minute.", 2.0, ge=0.01, le=60
    )
    gate_hours: float = described("hours", "A gate that nobody decided is rejected after this.", 24.0, gt=0, le=720)
    tend_seconds: float = described("seconds", "How often environments are looked after.", 30.0, ge=1, le=3600)
    drift_minutes: float = described(
        "minutes", "How often Azure is asked whether it still runs what it was given; 0: never.", 10.0, ge=0, le=1440
    )
    test_stop_at: str = described(
        "step:before, :taken or :after",
        "Tests only: the process kills itself there. Refused unless GitHub is on loopback.",
        "",
        pattern=r"^([a-z_.]+:(before|taken|after))?$",
    )

    _policies: PolicySet = PrivateAttr(default_factory=PolicySet)
    _policy_text: str = PrivateAttr("")
    _trust: Book = PrivateAttr(default_factory=Book)

    @field_validator("webhook_secret_previous")
    @classmethod
    def _another_secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None and value == info.data.get("webhook_secret"):
            raise ValueError("it is the same as MISO_WEBHOOK_SECRET; leave it out when nothing is being changed")
        return value

    @field_validator("config_dir", mode="before")
    @classmethod
    def _find_config(cls, value: str) -> Path:
        found = Path(value) if value else default_config_dir()
        if not (found / "policy.yml").is_file():
            raise ValueError(f"there is no policy.yml in '{found}'")
        return found

    @field_validator("ca_file")
    @classmethod
    def _certificates(cls, value: Path | None) -> Path | None:
        if value is not None and not (value.is_file() and b"-----BEGIN CERTIFICATE-----" in value.read_bytes()):
            raise ValueError(f"'{value}' holds no certificate in PEM form")
        return value

    @field_validator("registries")
    @classmethod
    def _no_local_registry(cls, value: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        local = [host for host in value if forms.is_loopback(host.rpartition(":")[0] or host)]
        if local and not info.data.get("allow_local_hosts"):
            raise ValueError(f"'{local[0]}' is this machine, which MISO_ALLOW_LOCAL_HOSTS does not allow")
        return value

    @field_validator("probe_successes")
    @classmethod
    def _reachable_successes(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("probe_attempts", value):
            raise ValueError("so many cannot be had in MISO_PROBE_ATTEMPTS probes")
        return value

    @field_validator("write_deadline")
    @classmethod
    def _inside_the_lease(cls, value: float, info: ValidationInfo) -> float:
        if value >= info.data.get("lease_ttl", value + 1):
            raise ValueError("it must be shorter than MISO_LEASE_TTL, or a write could outlive the lease it needs")
        return value

    @field_validator("test_stop_at")
    @classmethod
    def _only_in_tests(cls, value: str, info: ValidationInfo) -> str:
        if value and not forms.is_loopback_url(info.data.get("github_api_url", "")):
            raise ValueError("it is for tests and refused unless MISO_GITHUB_API_URL is on loopback")
        return value

    @property
    def webhook_secrets(self) -> tuple[bytes, ...]:
        """The secrets that a delivery may be signed with, the present one first."""
        both = (self.webhook_secret, self.webhook_secret_previous)
        return tuple(secret.get_secret_value().encode() for secret in both if secret is not None)

    @property
    def store_path(self) -> Path:
        return self.data_dir / "miso.sqlite"

    @property
    def keys_dir(self) -> Path:
        return self.data_dir / "keys"

    def catalog_files(self) -> Mapping[str, str]:
        """The text of each `catalog/*.yml`, by name. Raises ConfigError for all that cannot be read."""
        return folders.texts(self.config_dir, "catalog")

    def app_private_key(self) -> str:
        """The App's private key, PEM text. Read anew on each call and kept nowhere here."""
        return self.app_private_key_file.read_text(encoding="ascii", errors="replace")

    def make_data_dir(self) -> Path:
        """The data directory, made with mode 700 if it is missing."""
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        self.data_dir.mkdir(mode=0o700, exist_ok=True)
        return self.data_dir

    @property
    def policies(self) -> PolicySet:
        """What `policy.yml` says. It counts once the ledger has accepted it."""
        return self._policies

    @property
    def trust(self) -> Book:
        """What `trust/*.yml` says: whose workflows may ask for a token. Without a file: nobody's."""
        return self._trust

    @property
    def policy_text(self) -> str:
        """The same as it is written."""
        return self._policy_text

    def rules(self) -> Rules:
        """The part that the domain and the verbs need. The policies are the ledger's."""
        same = {name: getattr(self, name) for name in Rules.__dataclass_fields__ if name in type(self).model_fields}
        del same["token_audience"]
        same["registries"] = tuple(self.registries)
        return Rules(
            **same,
            controller=self.controller_name,
            api_url=self.github_api_url,
            web_url=self.github_web_url,
            stop_at=self.test_stop_at,
            token_audience=self.token_audience or self.public_url,
        )


def default_config_dir() -> Path:
    """`config/` of a checkout, else the copy that the package carries."""
    package = Path(os.path.abspath(__file__)).parent.parent
    checkout = package.parent
    return checkout / "config" if (checkout / "pyproject.toml").is_file() else package / "_config"
