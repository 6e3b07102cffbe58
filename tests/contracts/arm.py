"""Every answer of the pretend ARM against the SDK's own models: keys that it knows, statuses that it accepts.

An observer for `Wire.observers`. The statuses are read out of the SDK's source, so that an upgrade cannot pass unseen.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from azure.mgmt.containerinstance import models as aci
from azure.mgmt.containerinstance.operations import ContainerGroupsOperations, ContainersOperations
from azure.mgmt.web import models as webapp
from azure.mgmt.web.operations import AppServicePlansOperations, WebAppsOperations

from bot.sim.wire import Exchange

_GROUP = "/subscriptions/[^/]+/resourcegroups/[^/]+"
_ACI = _GROUP + "/providers/microsoft.containerinstance/containergroups"
_SITE = _GROUP + "/providers/microsoft.web/sites/[^/]+"
_SLOT = _SITE + "/slots/[^/]+"
_EITHER = _SITE + "(?:/slots/[^/]+)?"


@dataclass(frozen=True)
class Operation:
    """One operation of the SDK: how it is recognised, what it accepts, and the model of its answer (None: no JSON)."""

    method: str
    path: str
    accepts: frozenset[int]
    model: Any


def accepted(function: Callable[..., Any]) -> frozenset[int]:
    """Statuses that this SDK method takes, read from its source."""
    found = re.search(r"status_code not in \[([\d, ]+)\]", inspect.getsource(inspect.unwrap(function)))
    if found is None:
        raise LookupError(f"no accepted statuses in {function}")
    return frozenset(int(status) for status in found[1].split(","))


@cache
def operations() -> tuple[Operation, ...]:
    """Every operation that the pretend ARM answers."""
    polled = Operation("GET", _EITHER + "/operationresults/[^/]+", frozenset({200, 202}), webapp.Site)
    return (*_container_instances(), *_sites(), *_site_configuration(), polled)


def _one(method: str, path: str, function: Callable[..., Any], model: Any) -> Operation:
    return Operation(method, path, accepted(function), model)


def _container_instances() -> tuple[Operation, ...]:
    groups = ContainerGroupsOperations
    return (
        _one("GET", _ACI, groups.list_by_resource_group, aci.ContainerGroupListResult),
        _one("GET", _ACI + "/[^/]+", groups.get, aci.ContainerGroup),
        _one("PUT", _ACI + "/[^/]+", groups._create_or_update_initial, aci.ContainerGroup),
        _one("PATCH", _ACI + "/[^/]+", groups.update, aci.ContainerGroup),
        _one("DELETE", _ACI + "/[^/]+", groups._delete_initial, aci.ContainerGroup),
        _one("POST", _ACI + "/[^/]+/restart", groups._restart_initial, None),
        _one("POST", _ACI + "/[^/]+/stop", groups.stop, None),
        _one("POST", _ACI + "/[^/]+/start", groups._start_initial, None),
        _one("GET", _ACI + "/[^/]+/containers/[^/]+/logs", ContainersOperations.list_logs, aci.Logs),
    )


def _sites() -> tuple[Operation, ...]:
    web = WebAppsOperations
    return (
        _one("GET", _GROUP + "/providers/microsoft.web/sites", web.list_by_resource_group, [webapp.Site]),
        _one(
            "GET",
            _GROUP + "/providers/microsoft.web/serverfarms/[^/]+",
            AppServicePlansOperations.get,
            webapp.AppServicePlan,
        ),
        _one("GET", _SITE, web.get, webapp.Site),
        _one("PUT", _SITE, web._create_or_update_initial, webapp.Site),
        _one("DELETE", _SITE, web.delete, None),
        _one("GET", _SITE + "/slots", web.list_slots, [webapp.Site]),
        _one("GET", _SLOT, web.get_slot, webapp.Site),
        _one("PUT", _SLOT, web._create_or_update_slot_initial, webapp.Site),
        _one("DELETE", _SLOT, web.delete_slot, None),
        _one("POST", _EITHER + "/restart", web.restart, None),
        _one("POST", _EITHER + "/containerlogs", web.get_web_site_container_logs, None),
        _one("POST", _SITE + "/slotsswap", web._swap_slot_with_production_initial, None),
        _one("POST", _SLOT + "/slotsswap", web._swap_slot_initial, None),
    )


def _site_configuration() -> tuple[Operation, ...]:
    web = WebAppsOperations
    return (
        _one("GET", _EITHER + "/config/web", web.get_configuration, webapp.SiteConfigResource),
        _one("PATCH", _EITHER + "/config/web", web.update_configuration_slot, webapp.SiteConfigResource),
        _one("POST", _EITHER + "/config/appsettings/list", web.list_application_settings_slot, webapp.StringDictionary),
        _one("PUT", _EITHER + "/config/appsettings", web.update_application_settings_slot, webapp.StringDictionary),
        _one(
            "GET",
            _EITHER + "/config/slotconfignames",
            web.list_slot_configuration_names,
            webapp.SlotConfigNamesResource,
        ),
        _one(
            "PUT",
            _EITHER + "/config/slotconfignames",
            web.update_slot_configuration_names,
            webapp.SlotConfigNamesResource,
        ),
    )


def observe(exchange: Exchange) -> list[str]:
    """What is wrong with this exchange; empty when nothing is, or when it is not ARM's."""
    if exchange.server != "arm":
        return []
    if exchange.status >= 400:
        return list(_judge_error(exchange))
    if re.fullmatch(_GROUP, exchange.path, re.IGNORECASE) or "/operations/" in exchange.path.lower():
        return list(_judge_plain(exchange))
    for operation in operations():
        if operation.method == exchange.method and re.fullmatch(operation.path, exchange.path, re.IGNORECASE):
            return list(_judge(exchange, operation))
    return ["no operation of the SDK has this method and path"]


def _judge(exchange: Exchange, operation: Operation) -> Iterator[str]:
    if exchange.status not in operation.accepts:
        yield f"the SDK rejects status {exchange.status}; it takes {sorted(operation.accepts)}"
    links = {"location", "azure-asyncoperation"} & set(exchange.response_headers)
    if exchange.status == 202 and not links:
        yield "202 without a link to poll"
    if operation.model is None or not exchange.response_body:
        return
    body = exchange.response_json()
    if isinstance(operation.model, list):
        for item in body["value"]:
            yield from unknown_keys(item, operation.model[0], "value[]")
    else:
        yield from unknown_keys(body, operation.model, "")


def _judge_plain(exchange: Exchange) -> Iterator[str]:
    """Resource group and operation status: shapes that ARM itself defines, for which no model is installed."""
    known = {"id", "name", "type", "location", "tags", "properties", "status", "startTime", "endTime", "error"}
    unknown = set(exchange.response_json()) - known
    if unknown:
        yield f"unknown keys {sorted(unknown)}"


def _judge_error(exchange: Exchange) -> Iterator[str]:
    body = exchange.response_json() or {}
    inner = body.get("error", body)
    if not (inner.get("code") or inner.get("Code")) or not (inner.get("message") or inner.get("Message")):
        yield f"status {exchange.status} without code and message"


def unknown_keys(value: Any, model: Any, where: str) -> Iterator[str]:
    """Keys in a JSON value that the model (of either SDK generation) does not know, with their path."""
    if value is None or model is None:
        return
    if isinstance(value, list):
        for item in value:
            yield from unknown_keys(item, model, where + "[]")
        return
    if not isinstance(value, dict):
        return
    if hasattr(model, "_attribute_map"):
        yield from _classic(value, model, where)
    else:
        yield from _hybrid(value, model, where)


def _classic(value: dict[str, Any], model: Any, where: str) -> Iterator[str]:
    """msrest-style models (container instances): `properties.x` is a flattened path."""
    flat = {entry["key"]: entry["type"] for entry in model._attribute_map.values()}
    nested = {key.partition(".")[0] for key in flat if "." in key}
    for key, inner in value.items():
        path = f"{where}.{key}".lstrip(".")
        if key in nested and isinstance(inner, dict):
            below = {k.partition(".")[2]: t for k, t in flat.items() if k.startswith(key + ".")}
            for name, deeper in inner.items():
                if name not in below:
                    yield f"{path}.{name} is unknown to {model.__name__}"
                else:
                    yield from _of_type(deeper, below[name], f"{path}.{name}")
        elif key not in flat:
            yield f"{path} is unknown to {model.__name__}"
        else:
            yield from _of_type(inner, flat[key], path)


def _of_type(value: Any, type_name: str, where: str) -> Iterator[str]:
    name = type_name.strip("[]{}")
    model = getattr(aci, name, None)
    if type_name.startswith("{") and isinstance(value, dict):
        for key, inner in value.items():
            yield from unknown_keys(inner, model, f"{where}.{key}")
    else:
        yield from unknown_keys(value, model, where)


def _hybrid(value: dict[str, Any], model: Any, where: str) -> Iterator[str]:
    """Models of the newer generator (web): attributes are rest fields with a name and a type."""
    model({})  # the first construction fills in the fields' types
    fields = {field._rest_name: field for field in model._attr_to_rest_field.values()}
    for key, inner in value.items():
        path = f"{where}.{key}".lstrip(".")
        if key not in fields:
            yield f"{path} is unknown to {model.__name__}"
            continue
        annotation = _annotation(model, key)
        names = re.findall(r"models\.(\w+)", annotation)
        inner_model = next((found for name in names if isinstance(found := getattr(webapp, name, None), type)), None)
        if inner_model is not None and not hasattr(inner_model, "as_dict"):
            inner_model = None  # an enumeration
        if "dict[" in annotation.lower() and isinstance(inner, dict):
            for name, deeper in inner.items():
                yield from unknown_keys(deeper, inner_model, f"{path}.{name}")
        else:
            yield from unknown_keys(inner, inner_model, path)


def _annotation(model: Any, rest_name: str) -> str:
    """The written type of the attribute that stands for this key, wherever in the class's ancestry it is."""
    fields = model._attr_to_rest_field.items()
    name = next((name for name, field in fields if field._rest_name == rest_name), "")
    return next((str(c.__annotations__[name]) for c in model.__mro__ if name in getattr(c, "__annotations__", {})), "")
