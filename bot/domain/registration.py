"""What an operator registers: an application with its environments, as a file in `config/catalog` or `miso register`.

Strict models in, registry rows or all faults at once out. Called by the command line and at start; it reads no file.
What a rule of Azure or a rule of ours demands of a target is checked here, so that a registered environment can be
deployed to.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.domain.catalog import parse_guid, skeleton
from bot.domain.model import STAGE_ALIASES, Application, Environment, ProbeKind, Stage, TargetKind


@dataclass(frozen=True, kw_only=True)
class RegistrationFault:
    """One thing that is wrong, by its field: `environments.0.dns_label`."""

    path: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The rows that a registration makes."""

    application: Application
    environments: tuple[Environment, ...]


def _guid(value: str) -> str:
    guid = parse_guid(value)
    if guid is None:
        raise ValueError("must be a GUID like 1b4e28ba-2fa1-4d3b-8c2a-0c5d1f3a9e77")
    return guid


def _word(words: Mapping[str, StrEnum]) -> BeforeValidator:
    """Strict models take no text for an enum; these are the words that are meant."""
    return BeforeValidator(lambda value: words.get(value, value) if isinstance(value, str) else value)


Guid = Annotated[str, AfterValidator(_guid)]
# ASCII only, so that no other spelling can look the same (security rule 34).
GitHubName = Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9 ._/-]{0,98}[A-Za-z0-9])?$")]
ResourceName = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?$")]
ResourceGroup = Annotated[str, Field(pattern=r"^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$")]
Label = Annotated[str, Field(pattern=r"^(?:[a-z][a-z0-9-]{1,61}[a-z0-9])?$")]
Slot = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$")]
Host = Annotated[str, Field(pattern=r"^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?)?$")]
SettingName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]

_IDENTITY = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft\.ManagedIdentity"
    r"/userAssignedIdentities/[A-Za-z0-9_-]{3,128}",
    re.ASCII | re.IGNORECASE,
)
_PLAN = re.compile(
    r"(?:/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft\.Web/serverfarms/)?[A-Za-z0-9-]{1,60}",
    re.ASCII | re.IGNORECASE,
)
_SECRET_NAME = re.compile(
    r"secret|passw(?:or)?d|pwd|token|api_?key|access_?key|account_?key|private_?key|credential|connection_?string"
    r"|connstr|(?:^|_)sas(?:$|_)|(?:^|_)key$|(?:^|_)dsn$",
    re.ASCII | re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"-----BEGIN|AccountKey=|SharedAccessKey=|Password=|\bPwd=|[?&]sig=|://[^/\s:@]+:[^/\s@]+@|\bgh[pousr]_[A-Za-z0-9]{20}"
    r"|\bgithub_pat_|\beyJ[A-Za-z0-9_-]{10,}\.eyJ",
    re.ASCII,
)
_REFERENCE = re.compile(r"@Microsoft\.KeyVault\((?:SecretUri=https://|VaultName=)[^()\s]+\)", re.ASCII)
_OURS = ("WEBSITES_PORT", "WEBSITES_ENABLE_APP_SERVICE_STORAGE")
_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


class EnvironmentForm(BaseModel):
    """One environment as an operator writes it."""

    model_config = _STRICT

    id: Guid
    stage: Annotated[Stage, _word(STAGE_ALIASES)]
    github_name: GitHubName | None = None
    """Name of the GitHub environment; the stage's name when left out."""
    tenant_id: Guid
    client_id: Guid
    subscription_id: Guid
    resource_group: ResourceGroup
    location: Annotated[str, Field(pattern=r"^[a-z0-9]{3,40}$")]
    target: Annotated[TargetKind, _word({kind.value: kind for kind in TargetKind})]
    name: ResourceName
    plan: str = ""
    slot: Slot | None = None
    dns_label: Label = ""
    registry: Host = ""
    pull_identity: str = ""
    pull_identity_resource_id: str = ""
    cpu: Annotated[float, Field(ge=0.1, le=4, strict=False)] = 1.0
    memory_gb: Annotated[float, Field(ge=0.1, le=16, strict=False)] = 1.5
    probe: Annotated[ProbeKind, _word({kind.value: kind for kind in ProbeKind})] = ProbeKind.HTTP
    settings: Mapping[SettingName, Annotated[str, Field(max_length=4096)]] = Field(default_factory=dict)


class Registration(BaseModel):
    """One application as an operator writes it."""

    model_config = _STRICT

    id: Guid
    name: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")]
    repository_id: Annotated[int, Field(ge=1)]
    owner_id: Annotated[int, Field(ge=1)]
    environments: Annotated[list[EnvironmentForm], Field(min_length=1, max_length=20)]


def register(
    document: object, *, registries: Collection[str], origin: Literal["command"] | str = "command"
) -> Registered | tuple[RegistrationFault, ...]:
    """The rows for a parsed document, or everything that is wrong with it.

    `registries` are the operator's allowed hosts; `origin` is "command" or the file's name.
    """
    try:
        form = Registration.model_validate(document)
    except ValidationError as wrong:
        return tuple(
            RegistrationFault(path=".".join(str(part) for part in error["loc"]), sentence=_sentence(error))
            for error in wrong.errors(include_url=False, include_input=False)
        )
    faults = tuple(_across(form, registries))
    if faults:
        return faults
    application = Application(
        id=form.id, name=form.name, repository_id=form.repository_id, owner_id=form.owner_id, origin=origin
    )
    return Registered(
        application=application, environments=tuple(_row(application, e, origin) for e in form.environments)
    )


def conflicts(
    wanted: Registered, applications: Collection[Application], environments: Collection[Environment]
) -> tuple[RegistrationFault, ...]:
    """Where a registration contradicts rows of others: a GUID, or an Azure resource, has one owner.

    An operator reads this, who owns every row; it is never shown to a repository.
    """
    faults = [
        RegistrationFault(path="id", sentence=f"is registered for repository {a.repository_id} already")
        for a in applications
        if a.id == wanted.application.id and a.repository_id != wanted.application.repository_id
    ]
    foreign = [e for e in environments if e.application_id != wanted.application.id]
    for at, environment in enumerate(wanted.environments):
        if any(e.id == environment.id for e in foreign):
            faults.append(RegistrationFault(path=f"environments.{at}.id", sentence="belongs to another application"))
        if any(_resource(e) == _resource(environment) for e in foreign):
            faults.append(RegistrationFault(path=f"environments.{at}.name", sentence="belongs to another application"))
    return tuple(faults)


def _sentence(error: Mapping[str, Any]) -> str:
    known = {"missing": "is missing", "extra_forbidden": "is not a known field"}
    if error["type"] == "string_pattern_mismatch":
        return "has characters or a length that are not allowed there"
    message = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return known.get(str(error["type"])) or message


def _across(form: Registration, registries: Collection[str]) -> Iterator[RegistrationFault]:
    """What only shows when fields are seen together."""
    everywhere = form.environments
    unique: Mapping[str, list[object]] = {
        "id": [e.id for e in everywhere],
        "stage": [e.stage for e in everywhere],
        "github_name": [skeleton(e.github_name or e.stage) for e in everywhere],
        "name": [_place(e) for e in everywhere],
    }
    for field, values in unique.items():
        for at, value in enumerate(values):
            if Counter(values)[value] > 1 and values.index(value) < at:
                yield RegistrationFault(path=f"environments.{at}.{field}", sentence="is used twice in this application")
    if form.id in unique["id"]:
        yield RegistrationFault(path="id", sentence="is an environment's GUID as well")
    for at, environment in enumerate(everywhere):
        for path, sentence in _of_environment(environment, registries):
            yield RegistrationFault(path=f"environments.{at}.{path}", sentence=sentence)


def _of_environment(form: EnvironmentForm, registries: Collection[str]) -> Iterator[tuple[str, str]]:
    if form.registry and form.registry not in registries:
        yield "registry", "is not one of the registries that this installation allows"
    if form.target is TargetKind.CONTAINER_INSTANCE:
        yield from _of_container_instance(form)
    else:
        yield from _of_web_app(form)
    for name, value in form.settings.items():
        if name in _OURS or name.startswith("WEBSITE_SWAP_WARMUP_"):
            yield f"settings.{name}", "is set by Miso itself"
        reference = _REFERENCE.fullmatch(value) is not None
        if not reference and (_SECRET_NAME.search(name) or _SECRET_VALUE.search(value)):
            yield f"settings.{name}", "looks like a secret: give a reference, @Microsoft.KeyVault(SecretUri=…)"
        if reference and form.target is TargetKind.CONTAINER_INSTANCE:
            yield f"settings.{name}", "is a Key Vault reference, which container instances do not resolve"


def _of_container_instance(form: EnvironmentForm) -> Iterator[tuple[str, str]]:
    if not form.dns_label:
        yield "dns_label", "is needed for container instances: the address changes whenever the group is created again"
    if form.pull_identity and not _IDENTITY.fullmatch(form.pull_identity):
        yield "pull_identity", "must be the RESOURCE id of a user-assigned identity for container instances"
    for field in ("plan", "slot", "pull_identity_resource_id"):
        if getattr(form, field):
            yield field, "is for web apps only"


def _of_web_app(form: EnvironmentForm) -> Iterator[tuple[str, str]]:
    if not _PLAN.fullmatch(form.plan):
        yield "plan", "is needed for web apps: name or resource id of an App Service plan that has slots"
    if form.slot == "production":
        yield "slot", "cannot be production, which is what the slot is swapped with"
    if form.dns_label:
        yield "dns_label", "is for container instances only"
    if form.pull_identity and parse_guid(form.pull_identity) is None:
        yield "pull_identity", "must be the CLIENT id of a user-assigned identity for web apps"
    if bool(form.pull_identity) != bool(form.pull_identity_resource_id):
        yield "pull_identity_resource_id", "goes with pull_identity: the site must carry the identity that pulls"
    elif form.pull_identity_resource_id and not _IDENTITY.fullmatch(form.pull_identity_resource_id):
        yield "pull_identity_resource_id", "must be the RESOURCE id of a user-assigned identity"


def _place(form: EnvironmentForm) -> tuple[str, str, str, str]:
    return form.subscription_id, form.resource_group.lower(), form.target.value, form.name


def _resource(row: Environment) -> tuple[str, str, str, str]:
    return row.subscription_id, row.resource_group.lower(), row.target.value, row.name


def _row(application: Application, form: EnvironmentForm, origin: str) -> Environment:
    values = form.model_dump(exclude={"github_name", "slot", "settings"})
    return Environment(
        **values,
        application_id=application.id,
        github_name=form.github_name or form.stage.value,
        slot=form.slot or "staging",
        settings=tuple(sorted(form.settings.items())),
        origin=origin,
    )
