"""Subject tokens of the pretend platforms, read on the wire. What must be refused stands in `tests/hostile`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from bot.domain import trust_file
from bot.domain.claims import Profile
from bot.domain.codes import Code
from bot.domain.trust import Book, Matched
from bot.errors import Refused, Transient
from bot.oidc.jwks import SECOND, IssuerKeys
from bot.oidc.verify import SKEW_S, SubjectReader
from bot.sim.actions import GHES
from bot.sim.issuers import azure_devops
from bot.sim.wire import Fault, FaultKind
from bot.sim.world import Options, World
from tests.domain.trusting import APPLICATION, PRODUCTION, SHA
from tests.oidc.ground import Time, encoded
from tests.oidc.scripted import Scripted

HERE = "https://miso.example"
REPO = "acme/shop"
ELSEWHERE = f"{{name: a, environments: [production], applications: [{APPLICATION.id}], "


@pytest.fixture
async def world(time: Time) -> AsyncIterator[World]:
    async with World.running(Options(clock=lambda: time.us / SECOND)) as running:
        running.github.create_repository(REPO, collaborators={"ann": "admin"}, files={"x": "1"})
        yield running


@pytest.fixture
def book(world: World) -> Book:
    """GitHub, an enterprise's own issuer, a GitHub Enterprise Server, an organisation of Azure DevOps, and a GitLab."""
    github = "profile: github\nrules: [{name: a, environments: [production]}]\nissuer: "
    devops = f"project: {azure_devops.PROJECT_ID}, definition: 12, repository: {azure_devops.REPOSITORY_ID}"
    texts = {
        "a.yml": github + world.actions.actions_issuer(),
        "b.yml": github + world.actions.actions_issuer("/acme-inc"),
        "c.yml": github + world.actions.actions_issuer(GHES),
        "d.yml": f"issuer: {world.devops.issuer()}\nprofile: azure_devops\nrules: [{ELSEWHERE}{devops}}}]",
        "e.yml": f"issuer: {world.gitlab.issuer()}\nprofile: gitlab\nrules: [{ELSEWHERE}project: 20, namespace: 72}}]",
    }
    found, faults = trust_file.read(texts)
    assert faults == ()
    return found


@pytest.fixture
def reader(book: Book, keys: IssuerKeys, time: Time) -> SubjectReader:
    return SubjectReader(keys, book, time.now_us)


async def refused(reader: SubjectReader, token: str) -> str:
    with pytest.raises(Refused) as fault:
        await reader.read(token, audience=HERE)
    assert token[:40] not in str(fault.value)
    return fault.value.code


@pytest.mark.parametrize("path", ["", "/acme-inc", GHES], ids=["github.com", "enterprise", "ghes"])
async def test_rule_30_tokens_of_every_form_of_github(
    world: World, reader: SubjectReader, time: Time, path: str
) -> None:
    token = world.actions.actions_token(REPO, audience=HERE, environment="production", issuer=path)["token"]
    subject = await reader.read(token, audience=HERE)
    said = jwt.decode(token, options={"verify_signature": False})
    assert (subject.issuer, subject.profile, subject.audience) == (said["iss"], Profile.GITHUB, HERE)
    assert (subject.jti, subject.claims) == (said["jti"], said)
    assert subject.expires_us == (said["exp"] + SKEW_S) * SECOND
    assert said["repository_id"] not in repr(subject), "what a token says stands in no log by accident"
    time.us = subject.expires_us - 1
    assert await reader.read(token, audience=HERE) == subject, "as long as it is taken, its id is remembered"
    time.us = subject.expires_us
    assert await refused(reader, token) == Code.TOKEN_EXPIRED


async def test_a_pipeline_of_azure_devops_has_the_audience_that_all_of_them_have(
    world: World, reader: SubjectReader, book: Book
) -> None:
    subject = await reader.read(world.devops.token(sha=SHA, run_id=7)["token"], audience=HERE)
    assert (subject.profile, subject.audience) == (Profile.AZURE_DEVOPS, azure_devops.AUDIENCE)
    found = book.match(subject, APPLICATION, PRODUCTION, "main")
    assert found == Matched(rule="a", commit=SHA, run_id=7, run_attempt=1, actor_id=0)
    ours = world.devops.token(sha=SHA, claims={"aud": HERE})["token"]
    assert await refused(reader, ours) == Code.AUDIENCE_REFUSED


async def test_another_organisation_of_azure_devops_is_another_issuer(world: World, reader: SubjectReader) -> None:
    other = world.devops.token(sha=SHA, organisation_id=azure_devops.PROJECT_ID)["token"]
    assert await refused(reader, other) == Code.ISSUER_REFUSED
    claimed = world.devops.token(
        sha=SHA, organisation_id=azure_devops.PROJECT_ID, claims={"iss": world.devops.issuer()}
    )
    assert await refused(reader, claimed["token"]) == Code.TOKEN_KEY_UNKNOWN


async def test_a_job_of_gitlab_asks_for_our_audience(world: World, reader: SubjectReader, book: Book) -> None:
    token = world.gitlab.token(audience=HERE, sha=SHA, environment="production", pipeline_id=8)["token"]
    subject = await reader.read(token, audience=HERE)
    found = book.match(subject, APPLICATION, PRODUCTION, "main")
    assert (subject.profile, found) == (
        Profile.GITLAB,
        Matched(rule="a", commit=SHA, run_id=8, run_attempt=1, actor_id=0),
    )
    of_azure = world.gitlab.token(audience=azure_devops.AUDIENCE, sha=SHA)["token"]
    assert await refused(reader, of_azure) == Code.AUDIENCE_REFUSED
    long = world.gitlab.token(audience=HERE, sha=SHA, claims={"exp": subject.claims["iat"] + 3601})["token"]
    assert await refused(reader, long) == Code.TOKEN_LIFE


async def test_rule_18_who_is_not_listed_is_never_asked(world: World, keys: IssuerKeys, time: Time) -> None:
    token = world.actions.actions_token(REPO, audience=HERE, environment="production")["token"]
    assert await refused(SubjectReader(keys, Book(), time.now_us), token) == Code.ISSUER_REFUSED
    assert [each.path for each in world.wire.exchanges if each.server == "actions"] == []


async def test_an_empty_audience_is_nobodys(world: World, reader: SubjectReader) -> None:
    token = world.actions.actions_token(REPO, audience="", environment="production")["token"]
    with pytest.raises(Refused, match=Code.AUDIENCE_REFUSED):
        await reader.read(token, audience="")


async def test_tokens_of_a_new_key_are_read_and_of_a_withdrawn_one_refused(
    world: World, reader: SubjectReader, time: Time
) -> None:
    old = world.actions.actions_token(REPO, audience=HERE)["token"]
    await reader.read(old, audience=HERE)
    world.actions.rotate_actions_key(forget=True)
    time.us += 30 * SECOND
    await reader.read(world.actions.actions_token(REPO, audience=HERE)["token"], audience=HERE)
    assert await refused(reader, old) == Code.TOKEN_KEY_UNKNOWN
    assert world.actions.actions_fetches() == 2


async def test_an_issuer_that_does_not_answer_is_no_refusal(world: World, reader: SubjectReader, time: Time) -> None:
    world.wire.faults.append(Fault(route="^actions GET", kind="status", status=503, times=None))
    token = world.actions.actions_token(REPO, audience=HERE)["token"]
    with pytest.raises(Transient) as fault:
        await reader.read(token, audience=HERE)
    assert fault.value.code == Code.ISSUER_UNAVAILABLE
    world.wire.faults.clear()
    time.us += 5 * SECOND
    assert await reader.read(token, audience=HERE)


@pytest.mark.parametrize("kind", ["huge", "garbage", "drop"])
async def test_rule_18_an_issuer_that_answers_with_anything_else(
    world: World, reader: SubjectReader, kind: FaultKind
) -> None:
    world.wire.faults.append(Fault(route="^actions GET .*jwks", kind=kind, times=None))
    with pytest.raises(Transient):
        await reader.read(world.actions.actions_token(REPO, audience=HERE)["token"], audience=HERE)


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
async def test_rule_30_another_algorithm_is_refused_even_with_a_key_that_is_published(
    issuer: Scripted, keys: IssuerKeys, time: Time, alg: str
) -> None:
    """Whatever the header calls it: GitHub signs with RS256."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer.keys = [{**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "e"}]
    book, _ = trust_file.read({"a.yml": f"issuer: {issuer.url}\nprofile: github\nrules: []"})
    signed = jwt.encode({"iss": issuer.url}, key, algorithm="ES256", headers={"kid": "e"})
    header = encoded({"alg": alg, "typ": "JWT", "kid": "e"})
    token = ".".join((header, *signed.split(".")[1:]))
    assert await refused(SubjectReader(keys, book, time.now_us), token) == Code.TOKEN_ALGORITHM
