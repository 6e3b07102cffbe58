"""How a setting is declared: the forms of its value, and its words. For `bot.settings.fields` and its neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from bot.settings import forms

PREFIX = "MISO_"

Url = Annotated[str, AfterValidator(forms.base_url)]
HttpsUrl = Annotated[str, AfterValidator(lambda url: forms.base_url(url, plain_on_loopback=False))]
Secret = Annotated[SecretStr, AfterValidator(lambda value: SecretStr(forms.secret(value.get_secret_value())))]
Listen = Annotated[forms.Listen, NoDecode, BeforeValidator(forms.listen)]
Registries = Annotated[Mapping[str, str], NoDecode, BeforeValidator(forms.registries)]
ConnectTo = Annotated[Mapping[str, tuple[str, int]], NoDecode, BeforeValidator(forms.connect_to)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(forms.networks)]
Guid = Annotated[str, AfterValidator(forms.guid)]
Numbers = Annotated[frozenset[int], NoDecode, BeforeValidator(forms.numbers)]


def described(form: str, meaning: str, default: Any = ..., **limits: Any) -> Any:
    """A setting. `form` says how it is written; a default is given as an operator would write it."""
    return Field(default, description=meaning, json_schema_extra={"form": form}, **limits)


def opening(name: str, first: Any) -> Any:
    """The first setting of a group, for the documentation."""
    first.json_schema_extra["group"] = name
    return first
