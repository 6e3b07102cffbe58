"""What is written to Azure, and that the steps reach it from anywhere without ever swapping twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from azure.mgmt.containerinstance.models import ContainerGroup
from azure.mgmt.web.models import Site
from hypothesis import given as given_that
from hypothesis import strategies as st

from bot.azure import aci
from bot.domain import plan as plans
from bot.domain.canonical import digest_of
from bot.domain.codes import Code
from bot.domain.model import Environment, Observed, Place, Plan, ProbeKind, Release, Stage, Step, TargetKind
from bot.errors import Refused
from tests.contracts.arm import unknown_keys
from tests.domain import given

IDENTITY = (
    "/subscriptions/50000000-0000-4000-8000-000000000001/resourceGroups/shop-rg"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/shop-pull"
)
GROUP = given.environment(
    Stage.DEV, TargetKind.CONTAINER_INSTANCE, settings=(("MODE", "b"), ("AREA", "eu")), pull_identity=IDENTITY
)
SITE = given.environment(
    Stage.PRODUCTION,
    settings=(("MODE", "b"),),
    pull_identity="60000000-0000-4000-8000-000000000001",
    pull_identity_resource_id=IDENTITY,
)


def build(environment: Environment, release: Release | None = None) -> Plan:
    return plans.build(environment, release or given.release(health_path="/healthz", port=3000), controller="miso-test")


def container(plan: Plan) -> Mapping[str, Any]:
    found: Mapping[str, Any] = plan.body["properties"]["containers"][0]["properties"]
    return found


# --- the bodies ------------------------------------------------------------------------------------------------------


def test_a_container_group_is_sent_whole() -> None:
    body = build(GROUP).body
    assert body["location"] == "westeurope"
    assert body["tags"] == {"miso-owner": "miso-test", "miso-env": GROUP.id}
    assert body["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
    properties = body["properties"]
    assert properties["restartPolicy"] == "Always"
    assert properties["osType"] == "Linux"
    assert properties["ipAddress"] == {
        "type": "Public",
        "dnsNameLabel": "shop-dev",
        "ports": [{"port": 3000, "protocol": "TCP"}],
    }
    assert properties["imageRegistryCredentials"] == [{"server": "registry.example", "identity": IDENTITY}]
    app = container(build(GROUP))
    assert app["image"] == f"registry.example/shop@{given.NEW_DIGEST}"
    assert [v["name"] for v in app["environmentVariables"]] == ["AREA", "MODE"]
    assert app["resources"] == {"requests": {"cpu": 1.0, "memoryInGB": 1.5}}
    assert app["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": 3000, "scheme": "http"}


def test_without_an_identity_none_is_named() -> None:
    body = build(replace(GROUP, pull_identity="")).body
    assert "identity" not in body
    assert "imageRegistryCredentials" not in body["properties"]


def test_where_nobody_can_ask_over_http_azure_does_not_either() -> None:
    plan = build(replace(GROUP, probe=ProbeKind.PLATFORM))
    assert "livenessProbe" not in container(plan)
    assert plans.health_path(plan) == "/"


def test_a_site_and_its_slot_are_the_same_but_for_their_place() -> None:
    body = build(SITE).body
    assert body["site"] == body["slot"]
    site = body["site"]
    assert site["kind"] == "app,linux,container"
    assert site["properties"]["serverFarmId"].endswith("/shop-rg/providers/Microsoft.Web/serverfarms/shop-plan")
    assert site["identity"]["userAssignedIdentities"] == {IDENTITY: {}}
    assert site["properties"]["siteConfig"] == {
        "linuxFxVersion": f"DOCKER|registry.example/shop@{given.NEW_DIGEST}",
        "alwaysOn": True,
        "healthCheckPath": "/healthz",
        "ftpsState": "Disabled",
        "minTlsVersion": "1.2",
        "acrUseManagedIdentityCreds": True,
        "acrUserManagedIdentityID": "60000000-0000-4000-8000-000000000001",
    }
    assert body["settings"] == {
        "MODE": "b",
        "WEBSITES_ENABLE_APP_SERVICE_STORAGE": "false",
        "WEBSITES_PORT": "3000",
        "WEBSITE_SWAP_WARMUP_PING_PATH": "/healthz",
        "WEBSITE_SWAP_WARMUP_PING_STATUSES": "200",
    }


def test_a_plan_elsewhere_is_named_by_its_resource_id() -> None:
    elsewhere = "/subscriptions/x/resourceGroups/y/providers/Microsoft.Web/serverfarms/z"
    assert build(replace(SITE, plan=elsewhere)).body["site"]["properties"]["serverFarmId"] == elsewhere


@pytest.mark.parametrize("probe", list(ProbeKind))
def test_the_sdk_of_container_instances_knows_every_key(probe: ProbeKind) -> None:
    body = json.loads(json.dumps(build(replace(GROUP, probe=probe)).body))
    assert list(unknown_keys(body, ContainerGroup, "")) == []
    assert ContainerGroup.deserialize(body).serialize() == body


@pytest.mark.parametrize("part", ["site", "slot"])
def test_the_sdk_of_web_apps_knows_every_key(part: str) -> None:
    body = json.loads(json.dumps(build(SITE).body[part]))
    assert list(unknown_keys(body, Site, "")) == []
    site = Site(body)
    assert site.properties is not None
    assert site.properties.site_config is not None
    assert site.properties.site_config.linux_fx_version == f"DOCKER|registry.example/shop@{given.NEW_DIGEST}"
    assert site.as_dict() == body


def test_the_window_sees_the_same_shape_in_azures_answer() -> None:
    plan = build(GROUP)
    assert aci.shape(ContainerGroup.deserialize(json.loads(json.dumps(plan.body)))) == plans.shape(plan.body)


@pytest.mark.parametrize("environment", [GROUP, SITE])
def test_rule_13_images_are_pinned_by_digest(environment: Environment) -> None:
    plan = build(environment)
    assert plans.image(plan) == f"registry.example/shop@{given.NEW_DIGEST}"
    assert plans.digest(plan) == given.NEW_DIGEST
    assert plans.health_path(plan) == "/healthz"


def test_where_the_deployed_host_answers() -> None:
    assert (plans.port(build(GROUP)), plans.tls(build(GROUP))) == (3000, False)
    assert (plans.port(build(SITE)), plans.tls(build(SITE))) == (443, True)


@pytest.mark.parametrize("environment", [GROUP, SITE])
def test_a_plan_does_not_depend_on_who_asks_or_on_order(environment: Environment) -> None:
    same = replace(environment, settings=tuple(reversed(environment.settings)), origin="elsewhere.yml")
    assert build(same) == build(environment)
    assert "miso-deployment" not in json.dumps(build(environment).body)


@pytest.mark.parametrize(
    ("environment", "change"),
    [
        *((GROUP, c) for c in ({"cpu": 2.0}, {"memory_gb": 2.0}, {"settings": ()}, {"dns_label": "xyz"}, {"id": "e"})),
        *((SITE, c) for c in ({"plan": "other"}, {"settings": ()}, {"pull_identity": ""}, {"location": "northeurope"})),
    ],
)
def test_whatever_would_be_written_is_in_the_hash(environment: Environment, change: dict[str, Any]) -> None:
    assert build(replace(environment, **change)).hash != build(environment).hash


def test_the_hash_survives_the_journal() -> None:
    plan = build(GROUP)
    stored = json.loads(json.dumps(plan.body))
    assert digest_of({"format": 1, "target": "container-instance", "body": stored}) == plan.hash


# --- a tiny Azure ----------------------------------------------------------------------------------------------------


@dataclass
class Azure:
    """Just what steps do: it counts swaps, and refuses what the real one refuses."""

    target: TargetKind
    main: Place = field(default_factory=lambda: Place(exists=False))
    slot: Place = field(default_factory=lambda: Place(exists=False))
    swaps: int = 0
    writes: list[Step] = field(default_factory=list)

    def observed(self) -> Observed:
        return Observed(main=self.main, slot=self.slot if self.target is TargetKind.WEB_APP else None)

    def apply(self, step: Step, plan: Plan) -> None:
        self.writes.append(step)
        wanted = Place(exists=True, digest=plans.digest(plan), provisioning="Succeeded")
        match step:
            case Step.GROUP_DELETE:
                self.main = Place(exists=False)
            case Step.GROUP_PUT:
                shape = plans.shape(plan.body)
                assert not self.main.exists or self.main.shape == shape, "a property cannot be changed in place"
                self.main = replace(wanted, shape=shape)
            case Step.SITE_PUT:
                assert not self.main.exists
                self.main = wanted
            case Step.SLOT_PUT:
                assert self.main.exists
                self.slot = wanted
            case Step.SWAP:
                assert self.slot.exists
                self.main, self.slot = self.slot, self.main
                self.swaps += 1

    def reach(self, plan: Plan) -> None:
        """As the advance loop does: look, take the first missing step, look again."""
        for _ in range(4):
            missing = plans.steps(plan, self.observed())
            if not missing:
                return
            self.apply(missing[0], plan)
            assert plans.happened(missing[0], plan, observed=self.observed())
        raise AssertionError("the plan is never reached")


DIGESTS = ["", given.OLD_DIGEST, given.NEW_DIGEST, "sha256:" + "3" * 64]
PLACES = st.one_of(
    st.just(Place(exists=False)),
    st.builds(
        Place,
        exists=st.just(True),
        digest=st.sampled_from(DIGESTS),
        provisioning=st.sampled_from(["Succeeded", "Failed", "Pending"]),
    ),
)
GROUPS = st.builds(
    lambda place, cpu: replace(place, shape=plans.shape(build(replace(GROUP, cpu=cpu)).body) if place.exists else {}),
    PLACES,
    st.sampled_from([1.0, 2.0]),
)


@given_that(PLACES, PLACES)
def test_a_web_app_is_reached_from_anywhere_with_at_most_one_swap(main: Place, slot: Place) -> None:
    azure = Azure(target=TargetKind.WEB_APP, main=main, slot=slot)
    azure.reach(build(SITE))
    assert azure.main.digest == given.NEW_DIGEST
    assert azure.swaps == (0 if not main.exists or main.digest == given.NEW_DIGEST else 1)
    assert plans.steps(build(SITE), azure.observed()) == ()


@given_that(GROUPS)
def test_a_container_group_is_reached_from_anywhere(main: Place) -> None:
    azure = Azure(target=TargetKind.CONTAINER_INSTANCE, main=main)
    azure.reach(build(GROUP))
    assert azure.main.digest == given.NEW_DIGEST
    assert plans.steps(build(GROUP), azure.observed()) == ()


@given_that(PLACES, PLACES, st.integers(0, 3), st.booleans())
def test_after_a_crash_nothing_is_done_twice(main: Place, slot: Place, stop: int, acted: bool) -> None:
    """Stopped before or after the write of any step: the story ends the same and swaps no oftener."""
    unbroken = Azure(target=TargetKind.WEB_APP, main=main, slot=slot)
    unbroken.reach(build(SITE))
    azure = Azure(target=TargetKind.WEB_APP, main=main, slot=slot)
    for at in range(stop + 1):
        missing = plans.steps(build(SITE), azure.observed())
        if missing and (at < stop or acted):
            azure.apply(missing[0], build(SITE))
    azure.reach(build(SITE))
    assert azure.observed() == unbroken.observed()
    assert azure.writes == unbroken.writes


@given_that(PLACES, PLACES, st.integers(0, 3))
def test_a_rollback_leads_back_from_every_point_of_a_deployment(main: Place, slot: Place, done: int) -> None:
    previous, wanted = build(SITE, given.release(given.OLD, given.OLD_DIGEST)), build(SITE)
    azure = Azure(target=TargetKind.WEB_APP, main=replace(main, exists=True, digest=given.OLD_DIGEST), slot=slot)
    for _ in range(done):
        for step in plans.steps(wanted, azure.observed())[:1]:
            azure.apply(step, wanted)
    swapped = azure.swaps
    for _ in range(3):
        for step in plans.rollback_steps(previous, wanted, azure.observed())[:1]:
            azure.apply(step, previous)
    assert azure.main.digest == given.OLD_DIGEST
    assert azure.swaps == 2 * swapped, "swapped back exactly as often as it was swapped"


def test_a_property_that_cannot_be_changed_in_place_recreates_the_group() -> None:
    smaller = Place(exists=True, digest=given.NEW_DIGEST, shape=plans.shape(build(replace(GROUP, cpu=0.5)).body))
    assert plans.steps(build(GROUP), Observed(main=smaller)) == (Step.GROUP_DELETE, Step.GROUP_PUT)


@pytest.mark.parametrize("provisioning", ["Failed", "Canceled"])
def test_a_write_that_azure_gave_up_is_done_again(provisioning: str) -> None:
    failed = Place(
        exists=True, digest=given.NEW_DIGEST, provisioning=provisioning, shape=plans.shape(build(GROUP).body)
    )
    assert plans.steps(build(GROUP), Observed(main=failed)) == (Step.GROUP_PUT,)
    assert not plans.happened(Step.GROUP_PUT, build(GROUP), observed=Observed(main=failed))
    done = replace(failed, provisioning="Pending")
    assert plans.steps(build(GROUP), Observed(main=done)) == ()


def test_a_first_deployment_creates_the_site_with_the_release() -> None:
    nothing = Observed(main=Place(exists=False), slot=Place(exists=False))
    assert plans.steps(build(SITE), nothing) == (Step.SITE_PUT,)


def test_after_a_failure_in_the_slot_production_is_not_touched() -> None:
    previous = build(SITE, given.release(given.OLD, given.OLD_DIGEST))
    observed = Observed(
        main=Place(exists=True, digest=given.OLD_DIGEST), slot=Place(exists=True, digest=given.NEW_DIGEST)
    )
    assert plans.rollback_steps(previous, build(SITE), observed) == ()


def test_what_ran_as_another_kind_of_resource_cannot_be_put_back() -> None:
    with pytest.raises(Refused) as no:
        plans.rollback_steps(build(GROUP), build(SITE), Observed(main=Place(exists=True)))
    assert no.value.code == Code.NOTHING_TO_ROLL_BACK_TO


def test_the_journal_keeps_what_was_seen() -> None:
    seen = Observed(
        main=Place(exists=True, digest=given.OLD_DIGEST, provisioning="Succeeded", deployment="s"),
        slot=Place(exists=False),
        swapped_at="2024-01-01T00:00:00Z",
    )
    body = plans.shown(seen)
    assert body["main"]["digest"] == given.OLD_DIGEST
    assert body["slot"] == {"exists": False}
    assert body["swapped_at"] == "2024-01-01T00:00:00Z"
    assert json.loads(json.dumps(body)) == body
