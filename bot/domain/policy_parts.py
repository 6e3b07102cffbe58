"""The keys inside a policy's values as people write them: who, groups, checks, freezes, availability.

Used by `bot.domain.policy_keys`, and by the page about the policy. Each model turns into the value of
`bot.domain.rules` that it means (`plain`).
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bot.domain import freezes
from bot.domain.policy_forms import LIST, Day, Ids, Name, Named, Role, lasting, role_alone
from bot.domain.rules import Freeze, Group, Members, RequiredCheck, Who


def key(default: Any, meaning: str, **more: Any) -> Any:
    """A key with its default as a person would write it."""
    return Field(default, description=meaning, **more)


class Keys(BaseModel):
    """Strict and whole: a key that is not known is a fault, never ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, validate_default=True)


class WhoKeys(Keys):
    """Some people: a role in the repository, and where teams or users are named, only those."""

    role: Role = key("write", "Least repository role.")
    teams: Ids = key((), "Numeric ids of GitHub teams.")
    users: Ids = key((), "Numeric ids of GitHub accounts.")

    def who(self) -> Who:
        return Who(role=self.role, teams=self.teams, users=self.users)


People = Annotated[WhoKeys, BeforeValidator(role_alone, json_schema_input_type=Role | WhoKeys)]


class GroupKeys(WhoKeys):
    """Some of the approvers must be of these people."""

    name: Name = Field(description="What it is called in answers.")
    count: Annotated[int, Field(ge=1, le=10)] = key(1, "How many of them must approve.")

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if not self.model_fields_set & {"role", "teams", "users"}:
            raise ValueError("must say who is meant: teams, users or role")
        return self

    def group(self) -> Group:
        return Group(name=self.name, count=self.count, who=self.who())


class CheckKeys(Keys):
    """A check run by its name and the App that made it: a name alone could be anybody's."""

    name: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="As GitHub shows it.")
    app: Annotated[int, Field(gt=0)] = Field(description="Numeric id of the GitHub App.")

    def check(self) -> RequiredCheck:
        return RequiredCheck(name=self.name, app_id=self.app)


class FreezeKeys(Keys):
    """A time in which nothing is promoted, in wall clock of its zone."""

    name: Name = Field(description="What it is called in answers.")
    starts: Annotated[str, AfterValidator(freezes.starts_at)] = Field(
        description="Begin of the first occurrence.", examples=["2026-12-24T18:00"]
    )
    lasts: Annotated[int, lasting("1m", "366d")] = Field(description="How long each occurrence lasts.")
    zone: Annotated[str, AfterValidator(freezes.zone_named)] = key(
        "UTC", "Name of the time zone.", examples=["Europe/Berlin"]
    )
    repeats: Annotated[
        str, Field(max_length=200), AfterValidator(lambda text: freezes.rule_of(text) if text else "")
    ] = key("", "Recurrence rule (RFC 5545); left out: once.", examples=["FREQ=WEEKLY;BYDAY=FR"])
    exceptions: Annotated[tuple[Day, ...], Field(max_length=100), LIST] = Field(
        (), alias="except", description="Days on which an occurrence does not begin.", examples=[["2026-12-25"]]
    )
    reason: Annotated[str, Field(max_length=200)] = key("", "Told with the refusal.")

    @model_validator(mode="after")
    def _happens(self) -> Self:
        if freezes.never(self.freeze()):
            raise ValueError("never happens: no day fits `repeats`")
        return self

    def freeze(self) -> Freeze:
        return Freeze(
            name=self.name,
            starts=self.starts,
            minutes=self.lasts,
            zone=self.zone,
            repeats=self.repeats,
            exceptions=self.exceptions,
            reason=self.reason,
        )


class RoleKeys(Keys):
    """Whom the policy gives a role."""

    teams: Ids = key((), "Numeric ids of GitHub teams of the repository's owner.")
    users: Ids = key((), "Numeric ids of GitHub accounts.")
    groups: Named = key(
        (), "Object ids of groups of the sign-in service.", examples=[["7f0c5b2e-8f3d-4c58-9a51-0c3a6a2f9f10"]]
    )
    app_roles: Named = key((), "Values of app roles of the sign-in service.", examples=[["Miso.Auditor"]])

    @model_validator(mode="after")
    def _says_whom(self) -> Self:
        if not any((self.teams, self.users, self.groups, self.app_roles)):
            raise ValueError("must say who is meant: teams, users, groups or app_roles")
        return self

    def members(self) -> Members:
        return Members(teams=self.teams, users=self.users, groups=self.groups, app_roles=self.app_roles)


class AvailabilityKeys(Keys):
    """What the environment must have of Azure."""

    instances: Annotated[int, Field(ge=1, le=100)] = key(1, "How many instances at least.")
    zones: Annotated[int, Field(ge=1, le=10)] = key(1, "Over how many zones they are spread at least.")


def plain(value: Any) -> Any:
    """The values of `bot.domain.rules` that are meant."""
    match value:
        case tuple():
            return tuple(plain(item) for item in value)
        case GroupKeys():
            return value.group()
        case WhoKeys():
            return value.who()
        case CheckKeys():
            return value.check()
        case FreezeKeys():
            return value.freeze()
        case _:
            return value
