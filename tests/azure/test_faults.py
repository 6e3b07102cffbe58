"""Every way in which Azure says no, as a code that a developer understands, and never in Azure's own words."""

from __future__ import annotations

import pytest

from bot.azure.policies import Timeouts
from bot.domain.codes import Code
from bot.domain.model import Step
from bot.errors import MisoError, Refused, Transient
from bot.sim.azure import faults
from bot.sim.wire import Fault
from tests.azure.cloud import CLIENT, GROUP, SUBSCRIPTION, Cloud
from tests.azure.conftest import GROUP_ENV, SITE_ENV, TAGS, Desk, group_plan, site_plan, window_of


async def put(desk: Desk, *, deadline: float = 10.0) -> None:
    await desk.apply(GROUP_ENV, Step.GROUP_PUT, group_plan(desk.cloud.image()), deadline=deadline)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (faults.quota(), Code.AZURE_QUOTA),
        (faults.role_missing(), Code.AZURE_FORBIDDEN),
        (Fault("arm PUT ", "status", status=400, body={"error": {"code": "X", "message": "y"}}), Code.AZURE_REFUSED),
        (
            Fault("arm PUT ", "status", status=404, body={"error": {"code": "ResourceGroupNotFound"}}),
            Code.AZURE_MISSING,
        ),
        (Fault("arm PUT ", "status", status=400, body="no JSON object"), Code.AZURE_REFUSED),
    ],
)
async def test_refusal_has_its_code_and_is_asked_once(desk: Desk, fault: Fault, code: Code) -> None:
    desk.cloud.wire.faults.append(fault)
    with pytest.raises(Refused) as refused:
        await put(desk)
    assert refused.value.code == code
    assert refused.value.hint
    assert len(desk.cloud.requests("PUT")) == 1
    assert desk.cloud.arm.effects == []


async def test_change_under_way_is_waited_for_by_the_caller(desk: Desk) -> None:
    desk.cloud.wire.faults.append(faults.in_transition())
    with pytest.raises(Transient) as later:
        await put(desk)
    assert (later.value.code, later.value.outcome_unknown) == (Code.AZURE_CONFLICT, True)
    await put(desk)


async def test_long_retry_after_goes_up_instead_of_being_slept(desk: Desk) -> None:
    desk.cloud.wire.faults.append(faults.throttled("arm PUT ", retry_after=3600, times=None))
    with pytest.raises(Transient) as later:
        await put(desk)
    assert (later.value.code, later.value.retry_after) == (Code.AZURE_THROTTLED, 3600.0)
    assert len(desk.cloud.requests("PUT")) == 1


async def test_short_trouble_of_a_put_is_retried(desk: Desk) -> None:
    desk.cloud.wire.faults.append(faults.unavailable("arm PUT ", times=2))
    await put(desk)
    assert len(desk.cloud.requests("PUT")) == 3
    assert len(desk.cloud.arm.effects) == 1


async def test_lasting_trouble_leaves_the_outcome_unknown(desk: Desk) -> None:
    desk.cloud.wire.faults.append(faults.unavailable("arm PUT ", times=None))
    with pytest.raises(Transient) as later:
        await put(desk)
    assert (later.value.code, later.value.outcome_unknown) == (Code.AZURE_UNAVAILABLE, True)


async def test_trouble_while_only_reading_leaves_nothing_unknown(desk: Desk) -> None:
    desk.cloud.wire.faults.append(faults.unavailable("arm GET ", times=None))
    for call in (put(desk), desk.observe(GROUP_ENV)):
        with pytest.raises(Transient) as later:
            await call
        assert (later.value.code, later.value.outcome_unknown) == (Code.AZURE_UNAVAILABLE, False)


@pytest.mark.parametrize("kind", ["drop", "act_then_drop"])
async def test_dropped_put_is_repeated_and_ends_with_one_group(desk: Desk, kind: str) -> None:
    desk.cloud.wire.faults.append(Fault("arm PUT .*containerGroups", kind))  # type: ignore[arg-type]  # a Literal
    try:
        await put(desk)
    except Transient as later:
        # The first one acted: the second met its operation.
        outcome = later.code
    else:
        outcome = ""
    assert outcome in ("", Code.AZURE_CONFLICT)
    seen = await desk.observe(GROUP_ENV)
    seen = await desk.observe(GROUP_ENV)
    assert seen.main.digest == desk.cloud.digest
    assert len(desk.cloud.arm.effects_of("put")) == 1


async def test_stuck_operation_is_cut_off_at_the_deadline(desk: Desk) -> None:
    desk.cloud.wire.faults.append(Fault("arm PUT .*containerGroups", "stuck"))
    with pytest.raises(Transient) as later:
        await put(desk, deadline=0.2)
    assert (later.value.code, later.value.outcome_unknown) == (Code.AZURE_TIMEOUT, True)
    assert (await desk.observe(GROUP_ENV)).main.running is None


async def test_slow_write_is_cut_off_at_the_write_deadline() -> None:
    async with Cloud.running() as cloud:
        desk = Desk(cloud, window_of(cloud, write_seconds=0.1))
        cloud.wire.faults.append(Fault("arm PUT ", "delay", seconds=0.5))
        with pytest.raises(Transient) as later:
            await put(desk)
        assert (later.value.code, later.value.outcome_unknown) == (Code.AZURE_TIMEOUT, True)


async def test_registry_trouble_of_azure_passes_by_itself(desk: Desk) -> None:
    desk.cloud.arm.fail("arm PUT .*containerGroups", code="RegistryErrorResponse")
    with pytest.raises(Transient) as later:
        await put(desk)
    assert later.value.code == Code.AZURE_IMAGE_PULL


async def test_role_that_was_never_given_is_forbidden(desk: Desk) -> None:
    desk.cloud.arm.unassign(CLIENT)
    with pytest.raises(Refused) as refused:
        await desk.observe(GROUP_ENV)
    assert refused.value.code == Code.AZURE_FORBIDDEN


@pytest.mark.parametrize("claims", [{"sub": "miso:env:other"}, {"iss": "https://other.test"}, {"aud": "other"}])
async def test_assertion_that_nobody_trusts_is_a_federation_fault_and_tells_no_details(
    desk: Desk, claims: dict[str, str]
) -> None:
    desk.cloud.issuer.claims = claims
    with pytest.raises(Refused) as refused:
        await desk.observe(GROUP_ENV)
    assert refused.value.code == Code.AZURE_FEDERATION
    told = f"{refused.value} {refused.value.hint} {refused.value.__cause__}"
    assert "AADSTS" not in told
    assert "miso:env" not in told
    assert desk.cloud.requests("POST", server="entra") == [f"/{GROUP_ENV.tenant_id}/oauth2/v2.0/token"]


async def test_unknown_tenant_or_client_is_a_federation_fault(desk: Desk) -> None:
    desk.cloud.entra.credentials.clear()
    with pytest.raises(Refused) as refused:
        await desk.observe(GROUP_ENV)
    assert refused.value.code == Code.AZURE_FEDERATION


async def test_issuer_that_entra_cannot_reach_passes_by_itself(desk: Desk) -> None:
    body = {"error": "invalid_request", "error_description": "AADSTS50166: Request to External OIDC endpoint failed."}
    desk.cloud.wire.faults.append(Fault("entra POST", "status", status=400, body=body, times=1))
    with pytest.raises(Transient) as later:
        await desk.observe(GROUP_ENV)
    assert later.value.code == Code.AZURE_UNAVAILABLE


async def test_token_endpoint_in_trouble_is_asked_again(desk: Desk) -> None:
    desk.cloud.wire.faults.append(Fault("entra POST", "status", status=503, body={"error": "x"}, times=2))
    await desk.observe(GROUP_ENV)
    assert len(desk.cloud.requests("POST", server="entra")) == 3


async def test_revoked_token_is_forgotten_and_asked_for_again(desk: Desk) -> None:
    await desk.observe(GROUP_ENV)
    desk.cloud.entra.forget_tokens()
    with pytest.raises(Transient):
        await desk.observe(GROUP_ENV)
    await desk.observe(GROUP_ENV)


async def test_rule_20_what_is_not_ours_is_never_written(desk: Desk) -> None:
    foreign = [{}, {"miso-env": "other"}, {**TAGS, "miso-owner": "another-controller"}, {"miso-owner": "miso-test"}]
    for tags in foreign:
        desk.cloud.arm.add_container_group(SUBSCRIPTION, GROUP, "shop", image=desk.cloud.image(), tags=tags)
        desk.cloud.arm.add_site(SUBSCRIPTION, GROUP, "shop", plan="plan", image=desk.cloud.image(), tags=tags)
        for environment, steps, plan in (
            (GROUP_ENV, (Step.GROUP_PUT, Step.GROUP_DELETE), group_plan(desk.cloud.image())),
            (SITE_ENV, (Step.SITE_PUT, Step.SLOT_PUT, Step.SWAP), site_plan(desk.cloud.image())),
        ):
            for step in steps:
                with pytest.raises(Refused) as refused:
                    await desk.apply(environment, step, plan)
                assert refused.value.code == Code.NOT_OURS
    assert desk.cloud.arm.effects == []
    assert {e.method for e in desk.cloud.wire.exchanges if e.server == "arm"} == {"GET"}


async def test_resource_that_an_operator_tagged_for_us_is_taken_over(desk: Desk) -> None:
    tags = {"Miso-Env": GROUP_ENV.id.upper()}
    desk.cloud.arm.add_container_group(SUBSCRIPTION, GROUP, "shop", image="x/y@sha256:z", tags=tags, label="shop")
    await put(desk)
    assert (await desk.observe(GROUP_ENV)).main.owner == "miso-test"


async def test_rule_14_no_word_of_azure_is_in_what_people_are_told(desk: Desk) -> None:
    body = {"error": {"code": "Nasty", "message": "<script>@everyone</script>"}}
    desk.cloud.wire.faults.append(Fault("arm PUT ", "status", status=400, body=body))
    with pytest.raises(MisoError) as refused:
        await put(desk)
    assert "everyone" not in f"{refused.value} {refused.value.__cause__} {refused.value.__dict__}"


async def test_doctor_sees_the_resource_group_or_why_not(desk: Desk) -> None:
    await desk.window.check(GROUP_ENV, request_id="doctor")
    desk.cloud.wire.faults.append(faults.role_missing("arm GET "))
    with pytest.raises(Refused) as refused:
        await desk.window.check(GROUP_ENV, request_id="doctor")
    assert refused.value.code == Code.AZURE_FORBIDDEN
    desk.cloud.arm.state.groups.clear()
    with pytest.raises(Refused) as missing:
        await desk.window.check(GROUP_ENV, request_id="doctor")
    assert missing.value.code == Code.AZURE_MISSING


async def test_hung_answer_is_cut_off_by_the_read_timeout() -> None:
    async with Cloud.running() as cloud:
        desk = Desk(cloud, window_of(cloud, timeouts=Timeouts(connect=1.0, read=0.1)))
        cloud.wire.faults.append(Fault("arm GET ", "delay", seconds=1.0, times=None))
        with pytest.raises(Transient) as later:
            await desk.observe(GROUP_ENV)
        assert later.value.code == Code.AZURE_UNAVAILABLE
        desk = Desk(cloud, window_of(cloud, observe_seconds=0.1))
        with pytest.raises(Transient) as late:
            await desk.observe(GROUP_ENV)
        assert (late.value.code, late.value.outcome_unknown) == (Code.AZURE_TIMEOUT, False)
