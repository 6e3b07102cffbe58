"""Container instances: one group an environment, always PUT whole, with a DNS label so that its host never changes.

Used by `bot.azure.window`. Never swaps: a PUT restarts the containers in place; what cannot be changed in place needs
GROUP_DELETE first. https://learn.microsoft.com/azure/container-instances/container-instances-update
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ResourceNotFoundError
from azure.core.polling import AsyncLROPoller

from bot.azure.faults import MISSING_GROUP, error_code
from bot.azure.target import DEPLOYMENT, ENVIRONMENT, OWNER, Write, body_of, digest_of, pinned, tag, tags
from bot.azure.transport import Clients
from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.domain.model import Capacity, Environment, Json, Observed, Place, Step

if TYPE_CHECKING:
    from azure.mgmt.containerinstance.models import Container, ContainerGroup

PULLED = re.compile(r"\"[^\"\s]+@(sha256:[0-9a-f]{64})\"")
UNDER_WAY = frozenset({"pending", "creating", "updating", "repairing", "deleting", "notspecified", "accepted", ""})


class ContainerInstances:
    """Satisfies `bot.azure.target.Target`."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def observe(self, environment: Environment, request_id: str) -> Observed:
        group = await self._get(environment, request_id)
        return Observed(main=_place(group) if group is not None else Place(exists=False))

    async def _get(self, environment: Environment, request_id: str) -> ContainerGroup | None:
        groups = self._clients.aci(environment).container_groups
        try:
            return await groups.get(environment.resource_group, environment.name, request_id=request_id)
        except ResourceNotFoundError as fault:
            if error_code(fault).lower() in MISSING_GROUP:
                raise
            return None

    async def capacity(self, environment: Environment, request_id: str) -> Capacity:
        """One, in one place, whatever Azure would say: a group is never spread over hosts or zones, so nobody is asked.

        https://learn.microsoft.com/azure/reliability/migrate-container-instances
        """
        return Capacity(instances=1, zones=1)

    async def begin(self, environment: Environment, write: Write, seen: Observed) -> AsyncLROPoller[Any] | None:
        groups = self._clients.aci(environment).container_groups
        extra: dict[str, Any] = {"request_id": write.request_id}
        if write.resume:
            extra["continuation_token"] = write.resume
        where = (environment.resource_group, environment.name)
        if write.step is Step.GROUP_DELETE:
            if not seen.main.exists and not write.resume:
                return None
            return await groups.begin_delete(*where, **extra)
        if write.step is not Step.GROUP_PUT:
            raise ValueError(f"{write.step} is no step of a container group")
        existing = await self._tags(environment, write.request_id) if seen.main.exists else {}
        body = whole(write.plan.body) | {"tags": tags(existing, write.plan.body, environment, write)}
        return await groups.begin_create_or_update(*where, body_of(body), **extra)

    async def _tags(self, environment: Environment, request_id: str) -> Mapping[str, str]:
        group = await self._get(environment, request_id)
        return dict(group.tags or {}) if group is not None else {}

    async def logs(self, environment: Environment, *, lines: int, request_id: str) -> str:
        """The last lines of the container's log: text of strangers."""
        containers = self._clients.aci(environment).containers
        name = environment.name
        found = await containers.list_logs(environment.resource_group, name, name, tail=lines, request_id=request_id)
        return str(found.content or "")


def whole(body: Json) -> dict[str, Any]:
    """The plan's container group, once it is fit to be sent: a label, and every image pinned by its digest.

    What a PUT leaves out goes back to Azure's defaults, so the body is sent as it was approved.
    """
    properties = body["properties"]
    if not (properties.get("ipAddress") or {}).get("dnsNameLabel"):
        raise refusal(Code.AZURE_REFUSED)
    for container in [*properties["containers"], *(properties.get("initContainers") or [])]:
        pinned(container["properties"].get("image"))
    return dict(body)


def _place(group: ContainerGroup) -> Place:
    containers = list(group.containers or [])
    first = containers[0] if containers else None
    address = group.ip_address
    return Place(
        exists=True,
        digest=digest_of(first.image) if first is not None else "",
        pulled_digest=_pulled(first) if first is not None else "",
        host=(address.fqdn or "") if address is not None else "",
        provisioning=group.provisioning_state or "",
        running=_running(group),
        restarts=sum(view.restart_count or 0 for view in map(_view, containers) if view is not None),
        shape=shape(group),
        deployment=tag(group.tags, DEPLOYMENT),
        owner=tag(group.tags, OWNER),
        environment_id=tag(group.tags, ENVIRONMENT),
    )


def _running(group: ContainerGroup) -> bool | None:
    """`Succeeded` alone says nothing: a container may be waiting in a crash loop."""
    if (group.provisioning_state or "").lower() in UNDER_WAY or _view(group) is None:
        return None
    views = [_view(container) for container in group.containers or []]
    states = [view.current_state.state for view in views if view is not None and view.current_state is not None]
    complete = bool(states) and len(states) == len(views)
    return complete and _view(group).state == "Running" and all(state == "Running" for state in states)


def _view(thing: ContainerGroup | Container) -> Any:
    """The instance view. The SDK types whatever only the server sets as None."""
    return thing.instance_view


def _pulled(container: Container) -> str:
    """The digest that the platform itself says it pulled, from its latest event that names one."""
    view = _view(container)
    for event in reversed((view.events or []) if view is not None else []):
        found = PULLED.search(event.message or "") if event.name == "Pulled" else None
        if found:
            return found[1]
    return ""


def shape(group: ContainerGroup) -> dict[str, Any]:
    """What cannot be changed in place (and the label, which makes the host)."""
    container = group.containers[0] if group.containers else None
    requests = container.resources.requests if container is not None and container.resources is not None else None
    address = group.ip_address
    return {
        "os": group.os_type,
        "restart": group.restart_policy or "Always",
        "cpu": requests.cpu if requests is not None else 0.0,
        "memory_gb": requests.memory_in_gb if requests is not None else 0.0,
        "ports": sorted(port.port for port in (address.ports if address is not None else None) or []),
        "subnets": sorted(subnet.id.lower() for subnet in group.subnet_ids or []),
        "address": address.type if address is not None else "",
        "label": (address.dns_name_label or "") if address is not None else "",
    }
