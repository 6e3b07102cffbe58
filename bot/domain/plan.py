"""What will be written to Azure, whole, and which writes are still missing from what Azure shows.

Called by the verbs for a request (the plan is part of what is approved) and by the advance loop for every step. Bodies
are ARM's own JSON: Microsoft.ContainerInstance 2023-05-01 and Microsoft.Web 2025-05-01. They hold names of secrets at
most, never values. The tag `miso-deployment` (the promotion's stream) is not part of a plan: the Azure window adds it
when it writes, so that the same release in the same environment is the same plan whoever asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain.canonical import digest_of
from bot.domain.codes import Code
from bot.domain.messages.refusals import refusal
from bot.domain.model import Environment, Json, Observed, Place, Plan, ProbeKind, Release, Step, TargetKind

__all__ = [
    "OWNER_TAG",
    "Plan",
    "build",
    "digest",
    "happened",
    "health_path",
    "image",
    "must_be_ours",
    "port",
    "rollback_steps",
    "shape",
    "shown",
    "steps",
    "tls",
]

OWNER_TAG, ENVIRONMENT_TAG, DEPLOYMENT_TAG = "miso-owner", "miso-env", "miso-deployment"
_DOCKER = "DOCKER|"


def build(environment: Environment, release: Release, *, controller: str) -> Plan:
    """The plan for a release in an environment. `controller` names this installation (tag `miso-owner`)."""
    tags = {OWNER_TAG: controller, ENVIRONMENT_TAG: environment.id}
    if environment.target is TargetKind.CONTAINER_INSTANCE:
        body = _container_group(environment, release, tags)
    else:
        site = _site(environment, release, tags)
        body = {"site": site, "slot": site, "settings": _settings(environment, release)}
    return Plan(
        target=environment.target,
        body=body,
        hash=digest_of({"format": 1, "target": environment.target.value, "body": body}),
    )


def _container_group(environment: Environment, release: Release, tags: Mapping[str, str]) -> dict[str, Any]:
    """The full model always: on a PUT, whatever is left out falls back to Azure's default.

    https://learn.microsoft.com/azure/container-instances/container-instances-update
    """
    ports = [{"port": release.port, "protocol": "TCP"}]
    container: dict[str, Any] = {
        "image": release.reference,
        "ports": ports,
        "environmentVariables": [{"name": name, "value": value} for name, value in sorted(environment.settings)],
        "resources": {"requests": {"cpu": environment.cpu, "memoryInGB": environment.memory_gb}},
    }
    if environment.probe is ProbeKind.HTTP:
        # Liveness restarts a container that hangs. Readiness is left out: with one container behind the address it
        # would only hide from our own probe why nothing answers.
        container["livenessProbe"] = {
            "httpGet": {"path": release.health_path, "port": release.port, "scheme": "http"},
            "initialDelaySeconds": 60,
            "periodSeconds": 30,
            "timeoutSeconds": 5,
            "failureThreshold": 5,
            "successThreshold": 1,
        }
    properties: dict[str, Any] = {
        "osType": "Linux",
        "sku": "Standard",
        "restartPolicy": "Always",
        "containers": [{"name": environment.name, "properties": container}],
        # The address may change with every recreation; the label does not.
        "ipAddress": {"type": "Public", "dnsNameLabel": environment.dns_label, "ports": ports},
    }
    body: dict[str, Any] = {"location": environment.location, "tags": dict(tags), "properties": properties}
    if environment.pull_identity:
        host = release.image.partition("/")[0]
        properties["imageRegistryCredentials"] = [{"server": host, "identity": environment.pull_identity}]
        body["identity"] = _identity(environment.pull_identity)
    return body


def _site(environment: Environment, release: Release, tags: Mapping[str, str]) -> dict[str, Any]:
    """Site and slot alike: an identity does not move with a swap, so each needs its own.

    https://learn.microsoft.com/azure/app-service/deploy-staging-slots
    """
    config: dict[str, Any] = {
        "linuxFxVersion": _DOCKER + release.reference,
        "alwaysOn": True,
        "healthCheckPath": release.health_path,
        "ftpsState": "Disabled",
        "minTlsVersion": "1.2",
        "acrUseManagedIdentityCreds": bool(environment.pull_identity),
    }
    body: dict[str, Any] = {
        "location": environment.location,
        "kind": "app,linux,container",
        "tags": dict(tags),
        "properties": {
            "serverFarmId": _server_farm(environment),
            "reserved": True,
            "httpsOnly": True,
            "siteConfig": config,
        },
    }
    if environment.pull_identity:
        config["acrUserManagedIdentityID"] = environment.pull_identity
    if environment.pull_identity_resource_id:
        body["identity"] = _identity(environment.pull_identity_resource_id)
    return body


def _settings(environment: Environment, release: Release) -> dict[str, str]:
    """Application settings, which move with a swap. Both warm-up settings, or any answer on "/" counts as warm."""
    return dict(
        sorted(
            {
                **dict(environment.settings),
                "WEBSITES_PORT": str(release.port),
                "WEBSITES_ENABLE_APP_SERVICE_STORAGE": "false",
                "WEBSITE_SWAP_WARMUP_PING_PATH": release.health_path,
                "WEBSITE_SWAP_WARMUP_PING_STATUSES": "200",
            }.items()
        )
    )


def _identity(resource_id: str) -> dict[str, Any]:
    return {"type": "UserAssigned", "userAssignedIdentities": {resource_id: {}}}


def _server_farm(environment: Environment) -> str:
    if environment.plan.startswith("/"):
        return environment.plan
    group = f"/subscriptions/{environment.subscription_id}/resourceGroups/{environment.resource_group}"
    return f"{group}/providers/Microsoft.Web/serverfarms/{environment.plan}"


# --- what a plan says ------------------------------------------------------------------------------------------------


def image(plan: Plan) -> str:
    """The digest-pinned reference that the plan runs."""
    if plan.target is TargetKind.CONTAINER_INSTANCE:
        return str(_container(plan)["image"])
    return str(plan.body["slot"]["properties"]["siteConfig"]["linuxFxVersion"]).removeprefix(_DOCKER)


def digest(plan: Plan) -> str:
    """`sha256:` and 64 hex digits."""
    return image(plan).rpartition("@")[2]


def health_path(plan: Plan) -> str:
    """Path of our own probe; "/" where nobody asks over HTTP."""
    if plan.target is TargetKind.CONTAINER_INSTANCE:
        return str(_container(plan).get("livenessProbe", {}).get("httpGet", {}).get("path", "/"))
    return str(plan.body["slot"]["properties"]["siteConfig"]["healthCheckPath"])


def port(plan: Plan) -> int:
    """Port on which the deployed host answers from outside."""
    return int(_container(plan)["ports"][0]["port"]) if plan.target is TargetKind.CONTAINER_INSTANCE else 443


def tls(plan: Plan) -> bool:
    """Whether the deployed host speaks TLS: container groups have no certificate of their own."""
    return plan.target is TargetKind.WEB_APP


def shape(group: Json) -> dict[str, Any]:
    """What cannot be changed in place, of a container group as ARM's JSON; `Place.shape` holds the same of what is.

    Azure's list has differed over time, so ports and address are counted too: a recreation always works.
    https://learn.microsoft.com/azure/container-instances/container-instances-update#properties-that-require-container-delete
    """
    properties = group["properties"]
    address = properties.get("ipAddress") or {}
    requests = properties["containers"][0]["properties"]["resources"]["requests"]
    return {
        "os": properties["osType"],
        "restart": properties.get("restartPolicy") or "Always",
        "cpu": requests["cpu"],
        "memory_gb": requests["memoryInGB"],
        "ports": sorted(port["port"] for port in address.get("ports") or ()),
        "subnets": sorted(subnet["id"].lower() for subnet in properties.get("subnetIds") or ()),
        "address": address.get("type") or "",
        "label": address.get("dnsNameLabel") or "",
    }


def _container(plan: Plan) -> Json:
    found: Json = plan.body["properties"]["containers"][0]["properties"]
    return found


# --- which writes are missing ----------------------------------------------------------------------------------------


def steps(plan: Plan, observed: Observed) -> tuple[Step, ...]:
    """The writes that lead from what Azure shows to the plan, in order; none when it runs the plan's digest already.

    Looks at nothing but Azure's present state, so it answers rightly after any crash. A swap is its own inverse and is
    named only while production runs something else and the slot holds the release.
    """
    if plan.target is TargetKind.CONTAINER_INSTANCE:
        return _group_steps(plan, observed.main)
    wanted = digest(plan)
    if not observed.main.exists:
        # The first deployment: nobody is served yet, so there is nothing to swap with.
        return (Step.SITE_PUT,)
    if observed.main.digest == wanted:
        return ()
    if observed.slot is not None and observed.slot.exists and observed.slot.digest == wanted:
        return (Step.SWAP,)
    return (Step.SLOT_PUT, Step.SWAP)


def _group_steps(plan: Plan, place: Place) -> tuple[Step, ...]:
    if not place.exists:
        return (Step.GROUP_PUT,)
    wanted = shape(plan.body)
    if any(place.shape[name] != wanted[name] for name in wanted.keys() & place.shape.keys()):
        return (Step.GROUP_DELETE, Step.GROUP_PUT)
    if place.digest == digest(plan) and place.provisioning.lower() not in ("failed", "canceled"):
        return ()
    return (Step.GROUP_PUT,)


def rollback_steps(previous: Plan, failed: Plan, observed: Observed) -> tuple[Step, ...]:
    """The writes that lead back. None when production runs the previous digest, as after a failure in the slot.

    Refuses (`nothing_to_roll_back_to`) when the environment meanwhile is another kind of resource: what ran before
    cannot be put there.
    """
    if previous.target is not failed.target:
        raise refusal(Code.NOTHING_TO_ROLL_BACK_TO)
    return steps(previous, observed)


def happened(step: Step, plan: Plan, *, observed: Observed) -> bool:
    """Whether Azure shows that this write of this plan took place, so that it must not be done again."""
    return step not in steps(plan, observed)


def is_ours(place: Place, environment: Environment, controller: str) -> bool:
    """Whether a resource is this environment's: free, or tagged so and by no other installation of Miso."""
    if not place.exists:
        return True
    return place.environment_id.lower() == environment.id.lower() and place.owner in ("", controller)


def must_be_ours(observed: Observed, environment: Environment, controller: str) -> None:
    """Refuse (`not_ours`) what belongs to others. A slot without our tags belongs to whom its app belongs."""
    slot = observed.slot
    tagged = slot is not None and slot.exists and (slot.owner or slot.environment_id)
    places = [observed.main, slot] if slot is not None and tagged else [observed.main]
    if not all(is_ours(place, environment, controller) for place in places):
        raise refusal(Code.NOT_OURS)


def shown(observed: Observed) -> dict[str, Any]:
    """What Azure showed, in the form that the journal keeps beside each step."""
    body: dict[str, Any] = {"main": _place(observed.main)}
    if observed.slot is not None:
        body["slot"] = _place(observed.slot)
    if observed.swapped_at:
        body["swapped_at"] = observed.swapped_at
    return body


def _place(place: Place) -> dict[str, Any]:
    if not place.exists:
        return {"exists": False}
    return {
        "exists": True,
        "digest": place.digest,
        "pulled": place.pulled_digest,
        "provisioning": place.provisioning,
        "deployment": place.deployment,
    }
