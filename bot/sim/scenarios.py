"""A small company in the pretend world: Contoso, its shop, four people and three environments in Azure.

Used by `miso demo` and by the stories in `tests/flows`. Everything goes through the remote control, so the same lines
set the stage in this process and in another. It knows what people would set up, and nothing of the controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.sim.client import SimClient

REPOSITORY = "contoso/shop"
APPLICATION_ID = "5c0b6a1e-6f0f-4f0d-9a39-2f6d3f1d7a01"
SUBSCRIPTION_ID = "8b1f5b0a-33ce-4d6b-8f5e-6f1de0a3c402"
TENANT_ID = "2f9f1a6c-7d2d-4b51-9d8b-0f4f6a7be503"
RESOURCE_GROUP = "shop"
LOCATION = "westeurope"
SITE = "contoso-shop"
SIGN_IN_CLIENT_ID = "516e0000-0000-4000-8000-00000000005e"
"""The application in Entra that people sign in to."""
SIGN_IN_SUBJECT = "miso:signin"
SIGN_IN_PATH = "/sign-in/callback"
AUDITORS = "a0d10000-0000-4000-8000-00000000000a"
"""The object id of a group in Entra; eve is in it."""
STAFF = ("ann", "bob", "eve", "olga")


@dataclass(frozen=True)
class Place:
    """One environment as it is set up in GitHub, Entra and Azure."""

    stage: str
    id: str
    client_id: str


PLACES = (
    Place("dev", "d1a40f1c-0b5a-4a55-8d0b-5d1e5b6f0d01", "c11e0000-0000-4000-8000-0000000000d1"),
    Place("test", "7e570f1c-0b5a-4a55-8d0b-5d1e5b6f0d02", "c11e0000-0000-4000-8000-0000000000e2"),
    Place("production", "90d00f1c-0b5a-4a55-8d0b-5d1e5b6f0d03", "c11e0000-0000-4000-8000-0000000000f3"),
)
CONFIG = """\
image: {registry}/shop
build: .github/workflows/build.yml
port: 8080
health: /healthz
"""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """What setting the stage gave: numeric ids, and the registration that an operator hands to `miso register`."""

    repository_id: int
    owner_id: int
    registration: str
    people: Mapping[str, int]
    """Login → numeric id: what a policy calls them by."""
    accounts: Mapping[str, str]
    """Login → object id in Entra; nothing there says which GitHub account is whose."""


async def open_shop(sim: SimClient, *, issuer: str, registry: str) -> Shop:
    """Everything that people would prepare before the first build. `issuer`: address of the controller."""
    made = await sim.create_repository(
        REPOSITORY,
        collaborators={"ann": "write", "bob": "maintain", "eve": "read", "olga": "admin"},
        files={
            ".github/miso.yml": CONFIG.format(registry=registry),
            ".github/workflows/build.yml": "name: build\non: push\n",
            "app.py": "print('hello')\n",
        },
    )
    await sim.install_app("contoso")
    await sim.set_variable(REPOSITORY, "MISO_APPLICATION_ID", APPLICATION_ID)
    await sim.set_variable(REPOSITORY, "MISO_SUBSCRIPTION_ID", SUBSCRIPTION_ID)
    for place in PLACES:
        await sim.create_environment(REPOSITORY, place.stage, app_rule=place.stage == "production")
        await sim.set_environment_variable(REPOSITORY, place.stage, "MISO_ENVIRONMENT_ID", place.id)
        await sim.call(
            "entra.federate",
            tenant_id=TENANT_ID,
            client_id=place.client_id,
            issuer=issuer,
            subject=f"miso:env:{place.id}",
        )
        await sim.call("arm.assign", client_id=place.client_id, scope=f"/subscriptions/{SUBSCRIPTION_ID}")
    accounts = await _open_sign_in(sim, issuer)
    await sim.call("arm.add_resource_group", subscription=SUBSCRIPTION_ID, name=RESOURCE_GROUP, location=LOCATION)
    plan = await sim.call(
        "arm.add_plan", subscription=SUBSCRIPTION_ID, group=RESOURCE_GROUP, name="shop-plan", sku="S1"
    )
    # The platform team made the web app with its own tools and handed it over by its tag.
    await sim.call(
        "arm.add_site",
        subscription=SUBSCRIPTION_ID,
        group=RESOURCE_GROUP,
        name=SITE,
        plan=plan,
        tags={"miso-env": PLACES[2].id},
    )
    return Shop(
        repository_id=made["id"],
        owner_id=made["owner_id"],
        registration=registration(made["id"], made["owner_id"], registry),
        people=await sim.people(REPOSITORY),
        accounts=accounts,
    )


async def _open_sign_in(sim: SimClient, issuer: str) -> dict[str, str]:
    """The application that people sign in to, which trusts the controller's assertions, and an account for each."""
    await sim.call(
        "entra.sign_in_client",
        tenant_id=TENANT_ID,
        client_id=SIGN_IN_CLIENT_ID,
        redirect_uris=[f"{issuer}{SIGN_IN_PATH}"],
    )
    await sim.call(
        "entra.federate",
        tenant_id=TENANT_ID,
        client_id=SIGN_IN_CLIENT_ID,
        issuer=issuer,
        subject=SIGN_IN_SUBJECT,
    )
    groups = {"eve": [AUDITORS]}
    return {name: await sim.call("entra.person", name=name, groups=groups.get(name, [])) for name in STAFF}


def registration(repository_id: int, owner_id: int, registry: str) -> str:
    """What the operator writes for this shop."""
    lines = [
        f"id: {APPLICATION_ID}",
        "name: shop",
        f"repository_id: {repository_id}",
        f"owner_id: {owner_id}",
        "environments:",
    ]
    for place in PLACES:
        lines += [
            f"  - id: {place.id}",
            f"    stage: {place.stage}",
            f"    tenant_id: {TENANT_ID}",
            f"    client_id: {place.client_id}",
            f"    subscription_id: {SUBSCRIPTION_ID}",
            f"    resource_group: {RESOURCE_GROUP}",
            f"    location: {LOCATION}",
            f"    registry: {registry}",
        ]
        if place.stage == "production":
            lines += ["    target: web-app", f"    name: {SITE}", "    plan: shop-plan", "    slot: staging"]
        else:
            name = f"shop-{place.stage}"
            lines += ["    target: container-instance", f"    name: {name}", f"    dns_label: contoso-{name}"]
    return "\n".join(lines) + "\n"


async def merge_change(
    sim: SimClient, title: str, *, author: str = "ann", method: str = "squash", text: str = ""
) -> dict[str, Any]:
    """A pull request opened and merged by one person. Gives its number and merge commit."""
    files: dict[str, str | None] = {"app.py": f"print({(text or title)!r})\n"}
    pull = await sim.open_pull_request(REPOSITORY, author, title, files)
    # A plain string here, so that stories can hand it on without repeating the three words.
    merged = await sim.merge_pull(REPOSITORY, pull["number"], author, method=method)  # type: ignore[arg-type]
    return dict(merged)


async def build(
    sim: SimClient,
    commit: str,
    *,
    mark: str = "healthy",
    branch: str | None = None,
    event: str = "push",
    pull_request: int | None = None,
) -> str:
    """The build of a commit: pushes its image, finishes green. `mark`: how the image will behave. Gives the digest.

    Of the default branch unless a `branch` is named; `pull_request` builds the head of an open one, which must be
    `commit`.
    """
    digest: str = await sim.call("registry.push", repository="shop", tag=commit, text=f"shop at {commit}")
    await sim.call("arm.mark", digest=digest, mark=mark)
    if pull_request is not None:
        await sim.run_for_pull(REPOSITORY, pull_request)
    else:
        await sim.run_workflow(REPOSITORY, head_sha=commit, branch=branch, event=event)
    return digest


async def copy_shop(sim: SimClient, repository: str, *, registry: str) -> tuple[str, str]:
    """A stranger's repository with every variable of the shop's, and a green build. Gives its commit and digest."""
    made = await sim.create_repository(
        repository,
        collaborators={"mallory": "admin"},
        files={
            ".github/miso.yml": CONFIG.format(registry=registry),
            ".github/workflows/build.yml": "name: build\non: push\n",
            "app.py": "print('not yours')\n",
        },
    )
    await sim.install_app(repository.partition("/")[0])
    await sim.set_variable(repository, "MISO_APPLICATION_ID", APPLICATION_ID)
    await sim.set_variable(repository, "MISO_SUBSCRIPTION_ID", SUBSCRIPTION_ID)
    for place in PLACES:
        await sim.create_environment(repository, place.stage)
        await sim.set_environment_variable(repository, place.stage, "MISO_ENVIRONMENT_ID", place.id)
    commit = made["head_sha"]
    digest: str = await sim.call("registry.push", repository="shop", tag=commit, text=f"copy at {commit}")
    await sim.run_workflow(repository, head_sha=commit)
    return commit, digest
