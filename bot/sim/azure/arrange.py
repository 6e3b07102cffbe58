"""The verbs by which a scenario arranges and reads the pretend Azure. `Arm` is one of these, with a wire on top."""

from __future__ import annotations

import copy
import re

from bot.sim.azure.operations import Failure, Operations
from bot.sim.azure.sites import NEW_CONFIG
from bot.sim.azure.state import ContainerGroup, Effect, Json, Mark, Plan, ResourceGroup, Running, Site, State, digest_of


class Arrange:
    """Everything takes effect at once, without a request."""

    def __init__(self, state: State, operations: Operations) -> None:
        self.state = state
        self.operations = operations
        self._assignments: list[tuple[str, str]] = []

    @property
    def effects(self) -> list[Effect]:
        return self.state.effects

    @property
    def marks(self) -> dict[str, Mark]:
        return self.state.marks

    @property
    def polls(self) -> int:
        """How often an operation answers InProgress before it ends."""
        return self.operations.polls

    @polls.setter
    def polls(self, value: int) -> None:
        self.operations.polls = value

    def add_resource_group(
        self, subscription: str, name: str, *, location: str = "westeurope", tenant: str | None = None
    ) -> str:
        """`tenant`: tokens of any other tenant are refused; None: not judged. Returns the id."""
        group = ResourceGroup(subscription, name, location, tenant)
        self.state.groups[(subscription.lower(), name.lower())] = group
        return group.id

    def assign(self, client_id: str, scope: str) -> None:
        """Contributor at a subscription (`/subscriptions/<s>`) or resource group."""
        self._assignments.append((client_id.lower(), scope.lower().rstrip("/")))

    def unassign(self, client_id: str) -> None:
        self._assignments = [(c, scope) for c, scope in self._assignments if c != client_id.lower()]

    def allowed(self, client_id: str, subscription: str, group: str) -> bool:
        target = f"/subscriptions/{subscription}/resourcegroups/{group}".lower()
        return any(c == client_id.lower() and f"{target}/".startswith(scope + "/") for c, scope in self._assignments)

    def add_plan(
        self,
        subscription: str,
        group: str,
        name: str,
        *,
        sku: str = "S1",
        location: str = "westeurope",
        capacity: int = 1,
        zone_redundant: bool = False,
    ) -> str:
        """Returns the id."""
        resource = f"{self._group_id(subscription, group)}/providers/Microsoft.Web/serverfarms/{name}"
        plan = Plan(id=resource, name=name, location=location, sku=sku, capacity=capacity)
        plan.zone_redundant = zone_redundant
        self.state.plans[resource.lower()] = plan
        return resource

    def scale_plan(
        self, resource: str, *, capacity: int, zone_redundant: bool = False, per_site_scaling: bool = False
    ) -> None:
        """The plan has so many instances from now on, spread over zones or not."""
        plan = self.state.plans[resource.lower()]
        plan.capacity, plan.zone_redundant, plan.per_site_scaling = capacity, zone_redundant, per_site_scaling

    def put_by_hand(self, resource: str, image: str) -> None:
        """Somebody changes what a site, slot or container group runs, past Miso."""
        site, group = self.state.sites.get(resource.lower()), self.state.containers.get(resource.lower())
        if site is not None:
            site.config["linuxFxVersion"] = f"DOCKER|{image}"
        elif group is not None:
            container = group.wanted["properties"]["containers"][0]
            container["properties"]["image"] = image
            group.running[container["name"]] = group.pulled[container["name"]] = image
            group.started = self.state.now()
        else:
            raise KeyError(resource)
        self.state.changed("by hand", resource, image=image)

    def delete_by_hand(self, resource: str) -> None:
        """Somebody deletes a container group or a web app with its slots."""
        for things in (self.state.sites, self.state.containers):
            for gone in [r for r in things if r == resource.lower() or r.startswith(f"{resource.lower()}/")]:
                things.pop(gone)
        self.state.changed("deleted by hand", resource)

    def add_site(
        self,
        subscription: str,
        group: str,
        name: str,
        *,
        plan: str,
        image: str = "",
        tags: Json | None = None,
        slots: tuple[str, ...] = ("staging",),
        settings: dict[str, str] | None = None,
    ) -> str:
        """A web app that is already there. `plan` is a name or an id. Returns the id."""
        root = f"{self._group_id(subscription, group)}/providers/Microsoft.Web"
        plan_id = plan if plan.startswith("/") else f"{root}/serverfarms/{plan}"
        for slot in (None, *slots):
            resource = f"{root}/sites/{name}" + (f"/slots/{slot}" if slot else "")
            config = copy.deepcopy(NEW_CONFIG)
            config["linuxFxVersion"] = f"DOCKER|{image}" if image else ""
            site = Site(id=resource, name=name, slot=slot, location="westeurope", plan=plan_id, config=config)
            site.tags, site.settings = dict(tags or {}), dict(settings or {})
            self.state.sites[resource.lower()] = site
        return f"{root}/sites/{name}"

    def add_container_group(
        self,
        subscription: str,
        group: str,
        name: str,
        *,
        image: str,
        tags: Json | None = None,
        label: str | None = None,
        cpu: float = 1.0,
        memory: float = 1.5,
        port: int = 8080,
        location: str = "westeurope",
    ) -> str:
        """A running container group that is already there. Returns the id."""
        resource = f"{self._group_id(subscription, group)}/providers/Microsoft.ContainerInstance/containerGroups/{name}"
        ports = [{"port": port, "protocol": "TCP"}]
        container = {
            "name": name,
            "properties": {
                "image": image,
                "ports": ports,
                "resources": {"requests": {"cpu": cpu, "memoryInGB": memory}},
            },
        }
        address: Json = {"type": "Public", "ports": ports}
        if label:
            address["dnsNameLabel"] = label
        properties = {"osType": "Linux", "restartPolicy": "Always", "containers": [container], "ipAddress": address}
        wanted = {"location": location, "tags": dict(tags or {}), "properties": properties}
        made = ContainerGroup(id=resource, name=name, wanted=wanted, provisioning="Succeeded", state="Running")
        made.running, made.pulled, made.started = {name: image}, {name: image}, self.state.now()
        self.state.containers[resource.lower()] = made
        return resource

    def _group_id(self, subscription: str, name: str) -> str:
        found = self.state.groups.get((subscription.lower(), name.lower()))
        return found.id if found else self.add_resource_group(subscription, name)

    def mark(self, digest: str, mark: Mark) -> None:
        """How an image behaves from now on."""
        self.state.marks[digest] = mark

    def fail(self, route: str, *, code: str = "RegistryErrorResponse", message: str = "", times: int = 1) -> None:
        """The operation that the next matching request begins ends Failed. `route` is searched in "arm METHOD path"."""
        re.compile(route)
        text = message or "An error response is received from the docker registry. Please retry later."
        self.operations.failures.append(Failure(route, code, text, times))

    def unstick(self) -> None:
        """Operations that were stuck may end now."""
        self.operations.unstick()

    def effects_of(self, verb: str | None = None) -> list[Effect]:
        """Changes of one kind, or all, in order."""
        return [effect for effect in self.state.effects if verb in (None, effect.verb)]

    def poll_times(self, times: int) -> None:
        """Set `polls`, for callers that can only call."""
        self.polls = times

    def image_of(self, resource: str) -> str | None:
        """Image that a site, slot or container group is set to run; None when there is none."""
        site = self.state.sites.get(resource.lower())
        if site:
            return site.image or None
        group = self.state.containers.get(resource.lower())
        return str(group.wanted["properties"]["containers"][0]["properties"]["image"]) if group else None

    def tags_of(self, resource: str) -> Json | None:
        site = self.state.sites.get(resource.lower())
        if site:
            return dict(site.tags)
        group = self.state.containers.get(resource.lower())
        return dict(group.wanted.get("tags", {})) if group else None

    def running_at(self, host: str) -> Running | None:
        """What answers under a host name; None: nothing has that name, or nothing runs there."""
        host = host.partition(":")[0].lower()
        for site in self.state.sites.values():
            if site.host.lower() == host and site.image:
                behaviour = self.state.behaviour(site.image, production=site.slot is None)
                secure = bool(site.properties.get("httpsOnly"))
                return Running(site.id, site.name, site.slot, site.image, digest_of(site.image), behaviour, secure)
        for group in self.state.containers.values():
            if (group.fqdn or "").lower() == host and group.running:
                name, image = next(iter(group.running.items()))
                digest = digest_of(group.pulled.get(name, image))
                behaviour = self.state.behaviour(f"@{digest}", production=False)
                return Running(group.id, group.name, None, image, digest, behaviour)
        return None
