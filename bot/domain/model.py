"""The nouns of Miso: applications, environments, releases, people, journal rows, what Azure and GitHub showed.

Every floor above speaks in these. All are frozen values without behaviour that needs the outside world. Times are
integer microseconds UTC (`*_us`); GUIDs are lower-case canonical strings; GitHub ids are the numeric ones, because
names can be taken over by others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NewType

Untrusted = NewType("Untrusted", str)
"""Text that somebody outside wrote. It is escaped at the edge that prints it (`bot.domain.messages.quote`)."""

Json = Mapping[str, Any]


class Stage(StrEnum):
    """Where an environment stands on the way to production."""

    DEV = "dev"
    TEST = "test"
    PRODUCTION = "production"

    @property
    def before(self) -> Stage | None:
        """The stage that a release must have been verified in first; None for dev."""
        return {Stage.DEV: None, Stage.TEST: Stage.DEV, Stage.PRODUCTION: Stage.TEST}[self]


STAGE_ALIASES: Mapping[str, Stage] = {
    "dev": Stage.DEV,
    "development": Stage.DEV,
    "test": Stage.TEST,
    "tst": Stage.TEST,
    "testing": Stage.TEST,
    "production": Stage.PRODUCTION,
    "prod": Stage.PRODUCTION,
    "pro": Stage.PRODUCTION,
}
"""Every word that people may type for a stage; understood at every door."""


class TargetKind(StrEnum):
    """What kind of Azure resource runs the application."""

    CONTAINER_INSTANCE = "container-instance"
    WEB_APP = "web-app"


class ProbeKind(StrEnum):
    """How health is judged: our own request as well, or Azure's word alone (weaker, and shown as such)."""

    HTTP = "http"
    PLATFORM = "platform"


@dataclass(frozen=True, kw_only=True)
class Application:
    """One row of the registry: an application GUID bound to one repository, by numeric ids."""

    id: str
    name: str
    repository_id: int
    owner_id: int
    origin: str = "command"
    """Who wrote the row: "command" or the configuration file it was imported from."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One row of the registry: everything that a deployment uses. Nothing here ever comes from a repository."""

    id: str
    application_id: str
    github_name: str
    stage: Stage
    tenant_id: str
    client_id: str
    subscription_id: str
    resource_group: str
    location: str
    target: TargetKind
    name: str
    """Name of the container group or web app."""
    plan: str = ""
    """Web apps: name (same resource group) or full resource id of the App Service plan."""
    slot: str = "staging"
    """Web apps: the slot that a release enters first."""
    dns_label: str = ""
    """Container instances: the DNS name label, required."""
    registry: str = ""
    """Host of the registry that images must come from; empty: any host of the operator's list."""
    pull_identity: str = ""
    """Container instances: RESOURCE id of the user-assigned identity that pulls; web apps: its CLIENT id."""
    pull_identity_resource_id: str = ""
    """Web apps: RESOURCE id of that identity, which the site must carry."""
    cpu: float = 1.0
    memory_gb: float = 1.5
    probe: ProbeKind = ProbeKind.HTTP
    settings: tuple[tuple[str, str], ...] = ()
    """Application settings (environment variables), name and value. No secrets: Key Vault references instead."""
    origin: str = "command"

    @property
    def resource(self) -> str:
        """Name of the lease: one deployment at a time for an application in an environment."""
        return f"{self.application_id}/{self.id}"


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is carried from stage to stage: one commit's image, by digest, made by one workflow run."""

    application_id: str
    repository_id: int
    commit: str
    """40 lower-case hex digits."""
    image: str
    """Host and repository without tag, e.g. `registry.example/shop`."""
    digest: str
    """`sha256:` and 64 hex digits, resolved once."""
    run_id: int
    run_attempt: int = 1
    tag: str = ""
    port: int = 8080
    health_path: str = "/"
    config_commit: str = ""
    """Commit of the default branch at which `.github/miso.yml` was read."""
    branch: str = ""
    """Branch that was built; empty: the default branch, or recorded before branches were."""
    open_pull_request: int = 0
    """Number of the open pull request that was built; 0: a commit of a branch."""

    @property
    def reference(self) -> str:
        """The only form in which an image is ever handed to Azure."""
        return f"{self.image}@{self.digest}"


class ActorKind(StrEnum):
    PERSON = "person"
    APP = "app"
    WORKFLOW = "workflow"
    SYSTEM = "system"


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who did something. Compared by kind and numeric id; the login is for display only."""

    kind: ActorKind
    id: int
    login: str = field(default="", compare=False)


SYSTEM = Actor(kind=ActorKind.SYSTEM, id=0, login="miso")


# --- the journal -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewRow:
    """A row that wants to be written. Stream, sequence, time and hashes are given by the store."""

    kind: str
    actor: Actor
    application_id: str = ""
    environment_id: str = ""
    epoch: int = 0
    body: Json = field(default_factory=dict)
    v: int = 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the journal, as stored. `hash` covers every column but `position`, and `prev`."""

    position: int
    stream: str
    seq: int
    kind: str
    v: int
    at_us: int
    actor_kind: str
    actor_id: int
    application_id: str
    environment_id: str
    epoch: int
    body: Json
    prev: str
    hash: str


class Status(StrEnum):
    """Where a promotion stands. `fold` in `bot.domain.promotion` is the only place that gives one."""

    REQUESTED = "requested"
    APPROVED = "approved"
    DEPLOYING = "deploying"
    DEPLOYED = "deployed"
    UNHEALTHY = "unhealthy"
    FAILED = "failed"
    ROLLING_BACK = "rolling_back"
    LIVE = "live"
    ROLLED_BACK = "rolled_back"
    STUCK = "stuck"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    NEWER = "newer_than_this_version"


@dataclass(frozen=True, kw_only=True)
class PromotionRow:
    """Projection of one stream, for lists, ticks and pages. Written in the same transaction as the rows it sums up."""

    stream: str
    status: Status
    open: bool
    """Whether the advance loop has or may get something to do."""
    head_seq: int
    application_id: str
    environment_id: str
    repository_id: int
    commit: str
    digest: str
    verified: bool
    """Whether this release was seen healthy in this environment."""
    pull_request: int
    """Number of the pull request it was asked on or came from; 0 when none is known."""
    requested_us: int
    wake_at_us: int
    """When the advance loop should look again; 0: at once."""
    verified_us: int = 0
    """When it was seen healthy; 0: never."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentState:
    """Projection of one environment. `version` is compared and set, so that two writers cannot both be right."""

    environment_id: str
    version: int = 0
    running: str = ""
    """Stream whose release runs there as far as we know."""
    last_verified: str = ""
    """Stream of the release that was last seen healthy there: where a rollback goes."""
    held: tuple[Hold, ...] = ()
    busy: str = ""
    """Stream whose deployment has begun here and is neither live, undone nor left to a person, paused or not. Nothing
    else begins meanwhile: what it wrote, or what it would undo, would be another's."""
    lock: Lock | None = None
    drift: Drift | None = None


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A release that was rolled back here and waits for a person to clear it."""

    commit: str
    digest: str
    stream: str
    since_us: int


@dataclass(frozen=True, kw_only=True)
class Lock:
    """Somebody keeps an environment as it is. It is nothing that runs: the lease of a deployment is another thing."""

    owner: Actor
    reason: Untrusted
    since_us: int
    until_us: int
    """0: until it is taken off."""

    def holds(self, now_us: int) -> bool:
        return not self.until_us or now_us < self.until_us


@dataclass(frozen=True, kw_only=True)
class Drift:
    """An environment was found to run something that Miso did not put there (rule 32)."""

    expected: str
    """Digest that Miso put there."""
    found: str
    """Digest that Azure shows; empty: none, or no digest at all."""
    since_us: int


@dataclass(frozen=True, kw_only=True)
class Ban:
    """A release that a person rejected for good, wherever it may go. Lifted by `/clear`."""

    commit: str
    digest: str
    reason: Untrusted
    by: Actor
    since_us: int


# --- one unit of work for the store ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Take this lease in the transaction that writes the rows. The rows get the new epoch."""

    resource: str
    holder: str
    ttl_us: int


@dataclass(frozen=True, kw_only=True)
class Fence:
    """Refuse the rows unless this epoch still is the resource's and the lease has not run out."""

    resource: str
    epoch: int


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Something small that expires, or is linked for good: a spent token id, a session, a code. Not in the journal."""

    kind: str
    key: str
    """SHA-256 hex of whatever is secret about it; never the thing itself."""
    owner: str
    """By what it is listed or ended together: a subject, an environment, a family."""
    body: Json
    version: int
    """Compared and set, from 1."""
    created_us: int
    until_us: int
    """0: until it is taken away. Afterwards it is as if it were not there."""


ANY_VERSION = -1


@dataclass(frozen=True, kw_only=True)
class Keep:
    """A change to one `Kept`. It fits only where `version` is the present one; 0: where there is none (any more)."""

    kind: str
    key: str
    body: Json | None = None
    """None: take it away."""
    owner: str = ""
    version: int = 0
    until_us: int = 0
    sealed: bool = False
    """Whether the body is unreadable in the database without the seal."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What must be forgotten: how to resume a long-running Azure operation. Deleted with its result row."""

    stream: str
    step: str
    epoch: int
    continuation: str = field(repr=False)
    started_us: int


@dataclass(frozen=True, kw_only=True)
class Append:
    """Rows for one stream. `seq` is the number that the first row must get (1 for a new stream)."""

    stream: str
    seq: int
    rows: tuple[NewRow, ...]
    at_us: int = 0
    """Time of the rows, so that a projection made beside them agrees with a later fold; 0: the store's clock."""
    promotion: PromotionRow | None = None
    environment: EnvironmentState | None = None
    """The state after these rows; its `version` must be exactly one above the stored one."""
    claim: Claim | None = None
    fence: Fence | None = None
    free: bool = False
    """Give the fenced lease back in the same transaction."""
    forget: tuple[str, ...] = ()
    """Steps whose `Operation` is deleted."""
    show: bool = False
    """The report loop has something to show of this stream: `Store.unreported` names it until `Store.reported`."""


class Conflict(StrEnum):
    """Why a unit was not written. Nothing of it was."""

    SEQ = "seq"
    LEASE = "lease"
    FENCE = "fence"
    ENVIRONMENT = "environment"
    KEPT = "kept"


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a unit of work gave: the epoch of each claim by stream, and each stream's new head."""

    epochs: Mapping[str, int]
    heads: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class NewDelivery:
    """A webhook as it was received: headers judged, body not yet parsed."""

    guid: str
    event: str
    body: bytes = field(repr=False)
    received_us: int
    hook_target_id: str = ""
    """X-GitHub-Hook-Installation-Target-ID: unsigned, a hint only."""


class DeliveryState(StrEnum):
    WAITING = "waiting"
    DONE = "done"
    PARKED = "parked"


class Received(StrEnum):
    """What `Store.receive` did with a delivery."""

    STORED = "stored"
    KNOWN = "known"
    """Same GUID, already done or waiting: nothing to do."""
    REOPENED = "reopened"
    """Same GUID, had been parked: a redelivery opens it again."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A row of the inbox."""

    guid: str
    event: str
    body: bytes = field(repr=False)
    state: DeliveryState
    received_us: int
    done_us: int = 0
    attempts: int = 0
    replay_of: str = ""
    """GUID of an earlier delivery with byte-identical body; then this one is a hint only."""
    code: str = ""
    """Why it was parked."""
    note: str = ""
    hook_target_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """One thing on GitHub that shows a promotion or a pull request, and what it shows now.

    `surface` is "deployment", "status", "check", "comment", "reply", "reaction", "gate".
    """

    stream: str
    surface: str
    remote_id: int
    """0 until created."""
    shown_seq: int
    body_hash: str


# --- what the outside showed -----------------------------------------------------------------------------------------


class Step(StrEnum):
    """One write to Azure. The journal names each one that was begun and ended."""

    GROUP_DELETE = "group.delete"
    GROUP_PUT = "group.put"
    SITE_PUT = "site.put"
    SLOT_PUT = "slot.put"
    SWAP = "swap"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be written, whole: the canonical ARM body, secrets by name only, and its hash.

    For container instances `body` is the container group as PUT. For web apps it is
    `{"site": <site as PUT, without slot>, "slot": <site as PUT to the slot>, "settings": {name: value}}`.
    `bot.domain.plan` builds it; nothing else may.
    """

    target: TargetKind
    body: Json
    hash: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """What one web host was seen to run: a container group, a site, or a slot."""

    exists: bool
    digest: str = ""
    """Digest it is set to run; empty when it runs no digest-pinned image."""
    pulled_digest: str = ""
    """Digest that the platform itself reports to have pulled; empty when it does not say."""
    host: str = ""
    """Host name that ARM returned. The only host that may be probed."""
    provisioning: str = ""
    running: bool | None = None
    """True only when the platform says that every container runs; None: it did not say."""
    restarts: int = 0
    deployment: str = ""
    """Tag `miso-deployment`: stream whose plan was written here last."""
    owner: str = ""
    """Tag `miso-owner`."""
    environment_id: str = ""
    """Tag `miso-env`."""
    shape: Json = field(default_factory=dict)
    """Properties that cannot be changed in place (container instances), for deciding on a recreation."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What Azure showed of an environment at one moment."""

    main: Place
    slot: Place | None = None
    """Web apps only."""
    swapped_at: str = ""
    """Web apps: slotSwapStatus.timestampUtc of production, as Azure wrote it."""


class Health(StrEnum):
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """What our own request to a deployed host showed. Never holds a byte of its body."""

    health: Health
    code: str
    """"ok", "status_503", "timeout", "refused", "tls", "redirect", "too_large", "address_refused", …"""
    status: int = 0
    milliseconds: int = 0


@dataclass(frozen=True, kw_only=True)
class RepositoryFacts:
    id: int
    full_name: str
    owner_id: int
    default_branch: str
    archived: bool = False


@dataclass(frozen=True, kw_only=True)
class Commit:
    sha: str
    author_id: int | None
    """None: GitHub knows no account for it."""
    committer_id: int | None
    committer_is_web_flow: bool
    """True only for GitHub's own, verified signature."""
    coauthors_unknown: bool
    """True when the message names co-authors: their accounts cannot be known by id from an address alone."""
    message: Untrusted = Untrusted("")
    tree: str = ""
    """Hash of what the commit contains: two commits with one tree differ in their story only."""


@dataclass(frozen=True, kw_only=True)
class CheckSeen:
    """A check run on a commit, as GitHub shows it now: the newest of its name and App."""

    id: int
    name: str
    app_id: int
    status: str
    conclusion: str
    """Empty while it is not completed; "success" is the only one that counts."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """A GitHub account, known by its number."""

    id: int
    login: str


@dataclass(frozen=True, kw_only=True)
class Collaborator:
    """Somebody with access to a repository, and the role."""

    account: Account
    permission: Permission


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """How much of it there is, by Azure's word: for policies that demand availability."""

    instances: int
    zones: int
    """Zones that it is spread over; 1 when it is not."""


@dataclass(frozen=True, kw_only=True)
class CommitRange:
    """What lies between two commits. `complete` is False when not every commit could be read."""

    status: Literal["ahead", "behind", "identical", "diverged", "unknown"]
    commits: tuple[Commit, ...] = ()
    complete: bool = False


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    number: int
    author_id: int
    title: Untrusted
    merged: bool
    open: bool
    merge_commit_sha: str
    """40 hex once merged; before that it is a test merge and is never used."""
    merged_by_id: int | None
    head_sha: str
    head_repository_id: int | None
    base_repository_id: int
    base_branch: str


@dataclass(frozen=True, kw_only=True)
class Comment:
    id: int
    user_id: int
    login: str
    user_is_bot: bool
    body: Untrusted
    via_app_id: int | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, kw_only=True)
class WorkflowRun:
    id: int
    attempt: int
    path: str
    """e.g. `.github/workflows/build.yml`, without a `@ref` suffix."""
    event: str
    conclusion: str
    head_branch: str
    head_sha: str
    head_repository_id: int | None
    repository_id: int
    actor_id: int


PERMISSION_RANK: Mapping[str, int] = {"read": 1, "triage": 2, "write": 3, "maintain": 4, "admin": 5}


@dataclass(frozen=True, kw_only=True)
class Permission:
    """What GitHub says that an account may do in a repository, asked at the moment of use (rule 5)."""

    user_id: int
    role_name: str
    """One of PERMISSION_RANK, or the name of a custom role; then `permission` is its base."""
    permission: str
    """Legacy level: none, read, write, admin."""

    @property
    def can_write(self) -> bool:
        return self.permission in ("write", "admin")


# --- what GitHub shall show ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CheckAction:
    """A button on a check run. label ≤ 20 characters, description ≤ 40, identifier ≤ 20 (docs.github.com, checks)."""

    label: str
    description: str
    identifier: str


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """One fault in one line of a file, shown beside it on a pull request."""

    path: str
    line: int
    message: str
    title: str = ""
    level: Literal["notice", "warning", "failure"] = "failure"


@dataclass(frozen=True, kw_only=True)
class CheckRun:
    """A check run as it shall look. `conclusion` is empty while it is under way."""

    name: str
    head_sha: str
    external_id: str
    status: str
    conclusion: str
    title: str
    summary: str
    text: str = ""
    details_url: str = ""
    actions: tuple[CheckAction, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    """At most 50 are sent; the text tells how many more there are."""


@dataclass(frozen=True, kw_only=True)
class DeploymentStatus:
    """A status of a GitHub deployment. `state`: error, failure, in_progress, queued, pending, success, inactive."""

    state: str
    description: str
    environment: str
    environment_url: str = ""
    log_url: str = ""
    retires_older: bool = False
    """Ask GitHub to make older deployments of the environment inactive; it does so for any but production ones."""
