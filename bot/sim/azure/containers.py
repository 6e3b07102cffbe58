"""Container groups of the pretend ARM (Microsoft.ContainerInstance 2023-05-01), as recorded from the real one.

PUT answers 201 (200 for an update) with `azure-asyncoperation` and a Pending body, every container restarts, and some
properties cannot be changed without deleting the group first.
https://learn.microsoft.com/azure/container-instances/container-instances-update
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from bot.sim.azure.call import Call, answer
from bot.sim.azure.instance_view import container_view, render
from bot.sim.azure.operations import Operation, Operations
from bot.sim.azure.state import ArmError, ContainerGroup, Json, State
from bot.sim.wire import Wire

Pull = Callable[[str, str | None], Awaitable[str | None]]


def group_id(call: Call) -> str:
    return f"{call.group.id}/providers/Microsoft.ContainerInstance/containerGroups/{call.values['name']}"


class Containers:
    """The resource provider: one method an operation of the SDK."""

    def __init__(self, wire: Wire, state: State, operations: Operations, pull: Pull) -> None:
        self._wire = wire
        self._state = state
        self._operations = operations
        self._pull = pull

    async def put(self, call: Call) -> web.Response:
        wanted = call.json()
        resource = group_id(call)
        known = self._state.containers.get(resource.lower())
        self._judge(call, wanted, known)
        await self._operations.look_at(resource)
        if self._operations.on(resource):
            raise _transitioning(call.values["name"])
        if known is None:
            known = ContainerGroup(id=resource, name=call.values["name"], wanted=wanted)
            self._state.containers[resource.lower()] = known
            status = 201
        else:
            known.wanted, status = wanted, 200
        known.provisioning, known.state = "Pending", "Pending"
        images = [c["properties"]["image"] for c in wanted["properties"]["containers"]]
        self._state.changed("put", resource, images=images, tags=wanted.get("tags", {}), created=status == 201)
        operation = self._operations.begin(
            resource,
            "put",
            request=call.name,
            finish=lambda: self._start(known),
            abort=lambda code, message: self._fail(known),
            events=lambda: container_view(known, known.wanted["properties"]["containers"][0], self._state)["events"],
        )
        return answer(
            call,
            status,
            render(known, self._state),
            azure_asyncoperation=self._link(call, operation),
            x_ms_ratelimit_remaining_subscription_resource_requests_pt5m="199",
            x_ms_ratelimit_remaining_subscription_resource_requests_pt1h="449",
        )

    def _link(self, call: Call, operation: Operation) -> str:
        path = f"/subscriptions/{call.group.subscription}/providers/Microsoft.ContainerInstance/locations"
        return call.link(f"{path}/{call.group.location}/operations/{operation.id}")

    def _judge(self, call: Call, wanted: Json, known: ContainerGroup | None) -> None:
        """What real ARM refuses at once."""
        name = call.values["name"]
        properties = wanted.get("properties") or {}
        if not wanted.get("location"):
            raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
        if properties.get("osType") not in ("Linux", "Windows"):
            raise ArmError(400, "InvalidOsType", f"The 'osType' for container group '{name}' is invalid.")
        if not properties.get("containers"):
            raise ArmError(400, "MissingContainers", f"The 'containers' of container group '{name}' are missing.")
        for container in properties["containers"]:
            inner = container.get("properties") or {}
            requests = (inner.get("resources") or {}).get("requests") or {}
            if not inner.get("image"):
                raise ArmError(400, "MissingImage", f"The image of a container in group '{name}' is missing.")
            if "cpu" not in requests or "memoryInGB" not in requests:
                raise ArmError(400, "ResourceRequestsNotSpecified", f"Resource requests of '{name}' are missing.")
        self._judge_label(call, wanted)
        if known is not None and _fixed(known.wanted) != _fixed(wanted):
            raise ArmError(
                400,
                "InvalidContainerGroupUpdate",
                f"The updates on container group '{name}' are invalid. If you are going to update the os type, restart"
                " policy, network profile, CPU, memory or GPU resources for a container group, you must delete it first"
                " and then create a new one.",
            )

    def _judge_label(self, call: Call, wanted: Json) -> None:
        label = (wanted["properties"].get("ipAddress") or {}).get("dnsNameLabel")
        for other in self._state.containers.values():
            same = other.label == label and other.location == wanted["location"]
            if label and same and other.id.lower() != group_id(call).lower():
                raise ArmError(
                    409,
                    "DnsNameLabelConflict",
                    f"The DNS name label '{label}' in container group '{call.values['name']}' not available. Try using"
                    " a different label.",
                )

    async def _start(self, group: ContainerGroup) -> tuple[str, str] | None:
        """Pull every image, then run. Without the image nothing runs."""
        properties = group.wanted["properties"]
        credentials = properties.get("imageRegistryCredentials") or []
        for container in properties["containers"]:
            image = container["properties"]["image"]
            server = image.partition("/")[0]
            identity = next((c.get("identity") for c in credentials if c.get("server") == server), None)
            held = (group.wanted.get("identity") or {}).get("userAssignedIdentities") or {}
            if identity and identity.lower() not in {key.lower() for key in held}:
                identity = None
            digest = await self._pull(image, identity)
            if digest is None:
                return (
                    "InaccessibleImage",
                    f"The image '{image}' in container group '{group.name}' is not accessible. Please check the image"
                    " and registry credential.",
                )
            group.pulled[container["name"]] = f"{image.partition('@')[0]}@{digest}"
        group.running = {c["name"]: c["properties"]["image"] for c in properties["containers"]}
        group.provisioning, group.state, group.started = "Succeeded", "Running", self._state.now()
        group.restarts = 0
        return None

    @staticmethod
    def _fail(group: ContainerGroup) -> None:
        group.provisioning, group.state, group.running, group.pulled = "Failed", "Failed", {}, {}

    def _find(self, call: Call) -> ContainerGroup:
        resource = group_id(call)
        found = self._state.containers.get(resource.lower())
        if found is None:
            raise ArmError(
                404,
                "ResourceNotFound",
                f"The Resource 'Microsoft.ContainerInstance/containerGroups/{call.values['name']}' under resource group"
                f" '{call.group.name}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
            )
        return found

    async def get(self, call: Call) -> web.Response:
        await self._operations.look_at(group_id(call))
        group = self._find(call)
        crash = self._wire.active("unhealthy", call.name)
        return answer(call, 200, render(group, self._state, instance_view=True, crash=crash))

    async def list(self, call: Call) -> web.Response:
        """Without instance views, as the real list."""
        mine = [g for g in self._state.containers.values() if g.id.lower().startswith(call.group.id.lower() + "/")]
        return answer(call, 200, {"value": [render(group, self._state) for group in mine]})

    async def delete(self, call: Call) -> web.Response:
        resource = group_id(call)
        known = self._state.containers.get(resource.lower())
        if known is None:
            return answer(call, 204)
        await self._operations.look_at(resource)
        if self._operations.on(resource):
            raise _transitioning(call.values["name"])

        async def gone() -> None:
            self._state.containers.pop(resource.lower(), None)
            self._state.changed("delete", resource)

        operation = self._operations.begin(resource, "delete", request=call.name, finish=gone)
        return answer(call, 202, azure_asyncoperation=self._link(call, operation))

    async def patch(self, call: Call) -> web.Response:
        """Tags only; they are merged."""
        group = self._find(call)
        tags = call.json().get("tags") or {}
        group.wanted["tags"] = {**group.wanted.get("tags", {}), **tags}
        self._state.changed("tags", group.id, tags=tags)
        return answer(call, 200, render(group, self._state, instance_view=True))

    async def restart(self, call: Call) -> web.Response:
        group = self._find(call)
        group.started = self._state.now()
        self._state.changed("restart", group.id)
        return answer(call, 204)

    async def stop(self, call: Call) -> web.Response:
        group = self._find(call)
        group.state, group.running = "Stopped", {}
        self._state.changed("stop", group.id)
        return answer(call, 204)

    async def start(self, call: Call) -> web.Response:
        group = self._find(call)
        await self._start(group)
        self._state.changed("start", group.id)
        return answer(call, 204)

    async def logs(self, call: Call) -> web.Response:
        group = self._find(call)
        container = call.values["container"]
        if container not in group.running:
            raise ArmError(404, "ContainerNotFound", f"The container '{container}' was not found.")
        lines = [f"{group.started} listening", f"{group.started} {group.running[container]}"]
        tail = int(call.query.get("tail", "100"))
        return answer(call, 200, {"content": "\n".join(lines[-tail:]) + "\n"})


def _transitioning(name: str) -> ArmError:
    message = f"The container group '{name}' is still transitioning, please retry later."
    return ArmError(409, "ContainerGroupTransitioning", message)


def _fixed(body: Json) -> Json:
    """What cannot be changed in place."""
    properties = copy.deepcopy(body["properties"])
    resources: dict[str, Any] = {c["name"]: c["properties"].get("resources") for c in properties["containers"]}
    address = properties.get("ipAddress") or {}
    return {
        "os": properties.get("osType"),
        "restart": properties.get("restartPolicy", "Always"),
        "subnets": properties.get("subnetIds"),
        "zones": body.get("zones"),
        "sku": properties.get("sku", "Standard"),
        "resources": resources,
        "address": address.get("type"),
        "ports": sorted((p["port"], p.get("protocol", "TCP")) for p in address.get("ports", [])),
    }
