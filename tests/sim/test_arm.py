"""The pretend ARM under the real SDKs: what they accept, poll and refuse is what the real one would give them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.transport import AioHttpTransport
from azure.mgmt.containerinstance.aio import ContainerInstanceManagementClient
from azure.mgmt.web.aio import WebSiteManagementClient
from azure.mgmt.web.models import CsmSlotEntity, Site, StringDictionary

from bot.sim.azure import faults
from bot.sim.wire import Fault
from tests.azure.cloud import CLIENT, GROUP, SUBSCRIPTION, Cloud


class Token:
    """A credential that holds one token."""

    def __init__(self, token: str) -> None:
        self.token = token

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken(self.token, 2**31)

    async def close(self) -> None: ...

    async def __aenter__(self) -> Token:
        return self

    async def __aexit__(self, *args: object) -> None: ...


class Clients:
    def __init__(self, cloud: Cloud, token: str) -> None:
        credential = Token(token)
        transport = AioHttpTransport(session=cloud.session, session_owner=False)
        shared: dict[str, Any] = {"base_url": cloud.arm_url, "polling_interval": 0.001, "transport": transport}
        shared |= {"retry_total": 0, "credential_scopes": ["https://management.azure.com/.default"]}
        self.cloud = cloud
        # The SDKs type what only a server sets as None; here everything is set.
        self.groups: Any = ContainerInstanceManagementClient(credential, SUBSCRIPTION, **shared).container_groups
        self.aci: Any = ContainerInstanceManagementClient(credential, SUBSCRIPTION, **shared)
        self.web: Any = WebSiteManagementClient(credential, SUBSCRIPTION, **shared).web_apps
        self.plans: Any = WebSiteManagementClient(credential, SUBSCRIPTION, **shared).app_service_plans

    async def put(self, name: str = "shop", **changes: Any) -> Any:
        body = json.dumps(group_body(self.cloud, **changes)).encode()
        return await (await self.groups.begin_create_or_update(GROUP, name, cast(Any, body))).result()


def group_body(
    cloud: Cloud, *, image: str = "", label: str = "shop", cpu: float = 1.0, secret: str = "", tags: Any = None
) -> dict[str, Any]:
    container: dict[str, Any] = {
        "image": image or cloud.image(),
        "ports": [{"port": 8080}],
        "resources": {"requests": {"cpu": cpu, "memoryInGB": 1.5}},
        "environmentVariables": [{"name": "MODE", "value": "x"}, {"name": "KEY", "secureValue": secret}],
    }
    address = {"type": "Public", "dnsNameLabel": label, "ports": [{"port": 8080, "protocol": "TCP"}]}
    properties = {"osType": "Linux", "ipAddress": address, "containers": [{"name": "shop", "properties": container}]}
    return {"location": "westeurope", "tags": tags or {"miso-owner": "test"}, "properties": properties}


def code(fault: HttpResponseError) -> str:
    """ARM's own code, as the SDK read it."""
    assert fault.error is not None
    return str(fault.error.code)


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    async with Cloud.running() as cloud:
        yield Clients(cloud, await cloud.token())


async def test_container_group_is_created_polled_and_shows_the_pulled_digest(clients: Clients) -> None:
    clients.cloud.arm.polls = 2
    made = await clients.put(secret="not to be echoed")
    assert made.provisioning_state == "Succeeded"
    view = made.containers[0].instance_view
    assert view.current_state.state == "Running"
    assert any(clients.cloud.digest in event.message for event in view.events)
    assert made.ip_address.fqdn == "shop.westeurope.azurecontainer.io"
    first = next(e for e in clients.cloud.wire.exchanges if e.method == "PUT")
    assert (first.status, first.response_json()["properties"]["provisioningState"]) == (201, "Pending")
    assert len(clients.cloud.requests("GET", "/operations/")) == 3
    assert all(b"not to be echoed" not in e.response_body for e in clients.cloud.wire.exchanges)
    listed = [group async for group in clients.groups.list_by_resource_group(GROUP)]
    assert listed[0].instance_view is None
    logs = await clients.aci.containers.list_logs(GROUP, "shop", "shop", tail=1)
    assert clients.cloud.digest in logs.content


async def test_paths_are_matched_whatever_their_case(clients: Clients) -> None:
    await clients.put()
    assert (await clients.groups.get(GROUP.upper(), "SHOP")).name == "shop"


async def test_update_answers_200_and_a_fixed_property_needs_a_new_group(clients: Clients) -> None:
    await clients.put()
    await clients.put(image=clients.cloud.image(clients.cloud.other_digest))
    with pytest.raises(HttpResponseError) as refused:
        await clients.put(cpu=2.0)
    assert (refused.value.status_code, code(refused.value)) == (400, "InvalidContainerGroupUpdate")
    await (await clients.groups.begin_delete(GROUP, "shop")).result()
    with pytest.raises(ResourceNotFoundError):
        await clients.groups.get(GROUP, "shop")
    await (await clients.groups.begin_delete(GROUP, "shop")).result()
    await clients.put(cpu=2.0)
    assert [e.verb for e in clients.cloud.arm.effects] == ["put", "put", "delete", "put"]


async def test_dns_label_belongs_to_one_group(clients: Clients) -> None:
    await clients.put()
    with pytest.raises(HttpResponseError) as refused:
        await clients.put("other")
    assert (refused.value.status_code, code(refused.value)) == (409, "DnsNameLabelConflict")


async def test_missing_image_fails_the_operation_with_status_200(clients: Clients) -> None:
    with pytest.raises(HttpResponseError) as failed:
        await clients.put(image="registry.test/shop@sha256:" + "0" * 64)
    assert (failed.value.status_code, code(failed.value)) == (200, "InaccessibleImage")
    assert (await clients.groups.get(GROUP, "shop")).provisioning_state == "Failed"


async def test_planned_failure_is_told_once(clients: Clients) -> None:
    clients.cloud.arm.fail("arm PUT .*containerGroups/shop$", code="RegistryErrorResponse")
    with pytest.raises(HttpResponseError) as failed:
        await clients.put()
    assert code(failed.value) == "RegistryErrorResponse"
    await clients.put()


async def test_crashing_image_is_provisioned_but_not_running(clients: Clients) -> None:
    clients.cloud.arm.mark(clients.cloud.digest, "crash")
    made = await clients.put()
    assert made.provisioning_state == "Succeeded"
    view = (await clients.groups.get(GROUP, "shop")).containers[0].instance_view
    assert (view.current_state.state, view.previous_state.exit_code) == ("Waiting", 1)
    later = (await clients.groups.get(GROUP, "shop")).containers[0].instance_view
    assert later.restart_count > view.restart_count


async def test_stuck_operation_never_ends_and_refuses_others_until_freed(clients: Clients) -> None:
    clients.cloud.wire.faults.append(Fault("arm PUT .*containerGroups/shop$", "stuck"))
    poller = await clients.groups.begin_create_or_update(
        GROUP, "shop", cast(Any, json.dumps(group_body(clients.cloud)).encode())
    )
    for _ in range(3):
        assert (await clients.groups.get(GROUP, "shop")).provisioning_state == "Pending"
    with pytest.raises(HttpResponseError) as refused:
        await clients.put()
    assert code(refused.value) == "ContainerGroupTransitioning"
    clients.cloud.arm.unstick()
    assert (await poller.result()).provisioning_state == "Succeeded"


async def test_web_app_slot_swap_exchanges_images_and_settings(clients: Clients) -> None:
    cloud = clients.cloud
    cloud.arm.polls = 2
    plan = (await clients.plans.get(GROUP, "plan")).id
    for name in (None, "staging"):
        properties = {"serverFarmId": plan, "siteConfig": {"linuxFxVersion": f"DOCKER|{cloud.image()}"}}
        site = Site({"location": "westeurope", "kind": "app,linux,container", "properties": properties})
        if name is None:
            await (await clients.web.begin_create_or_update(GROUP, "shop", site)).result()
        else:
            await (await clients.web.begin_create_or_update_slot(GROUP, "shop", name, site)).result()
    slot = await clients.web.get_slot(GROUP, "shop", "staging")
    assert slot.properties.default_host_name == "shop-staging.azurewebsites.net"
    await clients.web.update_application_settings_slot(
        GROUP, "shop", "staging", StringDictionary(properties={"A": "1"})
    )
    update = {"properties": {"linuxFxVersion": f"DOCKER|{cloud.image(cloud.other_digest)}"}}
    await clients.web.update_configuration_slot(GROUP, "shop", "staging", update)
    entity = CsmSlotEntity(target_slot="production", preserve_vnet=True)
    await (await clients.web.begin_swap_slot(GROUP, "shop", "staging", entity)).result()
    site = await clients.web.get(GROUP, "shop")
    assert cloud.other_digest in site.properties.site_config.linux_fx_version
    assert site.properties.slot_swap_status.source_slot_name == "staging"
    assert (await clients.web.list_application_settings(GROUP, "shop")).properties == {"A": "1"}
    assert len(cloud.requests("GET", "/operationresults/")) >= 3
    assert len(cloud.arm.effects_of("swap")) == 1
    results = [e for e in cloud.wire.exchanges if "/operationresults/" in e.path]
    assert results[-1].response_json()["id"].endswith("/slots/staging")


async def test_swap_is_not_done_when_the_slot_does_not_answer(clients: Clients) -> None:
    cloud = clients.cloud
    resource = cloud.arm.add_site(SUBSCRIPTION, GROUP, "shop", plan="plan", image=cloud.image())
    cloud.arm.state.sites[f"{resource}/slots/staging".lower()].config["linuxFxVersion"] = (
        f"DOCKER|{cloud.image(cloud.other_digest)}"
    )
    cloud.arm.mark(cloud.other_digest, "crash")
    entity = CsmSlotEntity(target_slot="production", preserve_vnet=True)
    poller = await clients.web.begin_swap_slot(GROUP, "shop", "staging", entity)
    with pytest.raises(HttpResponseError) as failed:
        await poller.result()
    assert failed.value.status_code == 417
    assert cloud.arm.effects_of("swap") == []
    assert cloud.arm.image_of(resource) == cloud.image()


async def test_second_operation_on_a_site_is_refused_while_one_is_under_way(clients: Clients) -> None:
    cloud = clients.cloud
    cloud.arm.add_site(SUBSCRIPTION, GROUP, "shop", plan="plan", image=cloud.image())
    cloud.wire.faults.append(Fault("arm POST .*/slotsswap", "stuck"))
    entity = CsmSlotEntity(target_slot="production", preserve_vnet=True)
    await clients.web.begin_swap_slot(GROUP, "shop", "staging", entity)
    with pytest.raises(HttpResponseError) as refused:
        await clients.web.begin_swap_slot(GROUP, "shop", "staging", entity)
    assert refused.value.status_code == 409


async def test_slots_need_a_standard_plan(clients: Clients) -> None:
    cloud = clients.cloud
    plan = cloud.arm.add_plan(SUBSCRIPTION, GROUP, "small", sku="B1")
    cloud.arm.add_site(SUBSCRIPTION, GROUP, "shop", plan=plan, slots=())
    with pytest.raises(HttpResponseError) as refused:
        await clients.web.begin_create_or_update_slot(GROUP, "shop", "staging", Site(location="westeurope"))
    assert refused.value.status_code == 409


async def test_sticky_settings_stay_with_their_slot(clients: Clients) -> None:
    cloud = clients.cloud
    resource = cloud.arm.add_site(
        SUBSCRIPTION, GROUP, "shop", plan="plan", image=cloud.image(), settings={"WHO": "all"}
    )
    await clients.web.update_slot_configuration_names(GROUP, "shop", {"properties": {"appSettingNames": ["WHO"]}})
    await clients.web.update_application_settings_slot(GROUP, "shop", "staging", {"properties": {"WHO": "slot"}})
    entity = CsmSlotEntity(target_slot="production", preserve_vnet=True)
    await (await clients.web.begin_swap_slot(GROUP, "shop", "staging", entity)).result()
    assert cloud.arm.state.sites[resource.lower()].settings == {"WHO": "all"}


async def test_rule_20_no_role_no_access_and_no_hint_of_what_exists(clients: Clients) -> None:
    clients.cloud.arm.unassign(CLIENT)
    for name in ("shop", "absent"):
        with pytest.raises(HttpResponseError) as refused:
            await clients.groups.get(GROUP, name)
        assert (refused.value.status_code, code(refused.value)) == (403, "AuthorizationFailed")


async def test_token_of_another_tenant_or_none_is_refused(clients: Clients) -> None:
    cloud = clients.cloud
    cloud.arm.add_resource_group(SUBSCRIPTION, GROUP, tenant="00000000-0000-4000-8000-000000000001")
    with pytest.raises(ClientAuthenticationError):
        await clients.groups.get(GROUP, "shop")
    cloud.entra.forget_tokens()
    with pytest.raises(ClientAuthenticationError):
        await clients.groups.get(GROUP, "shop")


@pytest.mark.parametrize(
    ("fault", "status", "expected"),
    [
        (faults.quota(), 409, "ContainerGroupQuotaReached"),
        (faults.role_missing(), 403, "AuthorizationFailed"),
        (faults.in_transition(), 409, "ContainerGroupTransitioning"),
        (faults.unavailable("arm PUT "), 503, "ServiceUnavailable"),
    ],
)
async def test_ready_made_faults_read_as_arm_errors(clients: Clients, fault: Fault, status: int, expected: str) -> None:
    clients.cloud.wire.faults.append(fault)
    with pytest.raises(HttpResponseError) as refused:
        await clients.put()
    assert (refused.value.status_code, code(refused.value)) == (status, expected)
    assert clients.cloud.arm.effects == []


async def test_request_without_a_token_is_refused_before_anything_else() -> None:
    async with Cloud.running() as cloud:
        url = f"{cloud.arm_url}/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
        async with cloud.session.get(url) as response:
            assert response.status == 401
        headers = {"Authorization": f"Bearer {await cloud.token()}"}
        async with cloud.session.get(f"{url}?api-version=2024-07-01", headers=headers) as response:
            assert json.loads(await response.read())["location"] == "westeurope"
        async with cloud.session.get(url, headers=headers) as response:
            assert response.status == 400
