"""The hall: `Miso`, the bundle that every verb takes first, and what each window must offer to stand in it.

Protocols only, in terms of the domain. `bot.app` puts the real windows in; nothing here imports one, so a verb can
never reach around its contract. Times are microseconds UTC; deadlines are seconds from the call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bot.domain.claims import DeployClaims, OwnClaims, SignedClaims
from bot.domain.identity import SignedIn
from bot.domain.model import (
    Account,
    Append,
    Application,
    Capacity,
    CheckRun,
    CheckSeen,
    Collaborator,
    Comment,
    Commit,
    CommitRange,
    Conflict,
    Delivery,
    DeliveryState,
    DeploymentStatus,
    Environment,
    EnvironmentState,
    Keep,
    Kept,
    NewDelivery,
    Observed,
    Operation,
    Permission,
    Plan,
    ProbeResult,
    PromotionRow,
    PullRequest,
    Received,
    RepositoryFacts,
    Row,
    Step,
    Surface,
    WorkflowRun,
    Written,
)
from bot.domain.rules import Rules
from bot.domain.trust import Book


class Clock(Protocol):
    """The only source of time above the windows."""

    def now_us(self) -> int: ...
    async def sleep(self, seconds: float) -> None: ...


class Store(Protocol):
    """One durable place. Each call is one whole unit of work; a conflict is an answer, not an exception.

    Every method raises `Transient("store_unavailable", …)` when the database cannot be reached or written.
    """

    # inbox
    async def receive(self, delivery: NewDelivery) -> Received:
        """Durable (fsynced) when it returns. Same GUID: one row."""
        ...

    async def take_deliveries(self, holder: str, limit: int, ttl_us: int) -> Sequence[Delivery]:
        """Waiting deliveries that are due, oldest first, claimed for `holder` until now + ttl."""
        ...

    async def delivery_failed(self, guid: str, *, code: str, note: str, retry_at_us: int | None) -> None:
        """Count an attempt; come back at `retry_at_us`, or park it for a person when None."""
        ...

    async def delivery_done(self, guid: str) -> None: ...
    async def deliveries(
        self, *, state: DeliveryState | None, limit: int, before_us: int = 0
    ) -> Sequence[Delivery]: ...
    async def delivery(self, guid: str) -> Delivery | None: ...
    async def reopen_delivery(self, guid: str) -> bool: ...

    # journal
    async def append(
        self, appends: Sequence[Append], *, inbox_done: str = "", keep: Sequence[Keep] = ()
    ) -> Written | Conflict:
        """All of it, or nothing. Ends the delivery `inbox_done` in the same transaction."""
        ...

    async def stream(self, stream: str) -> Sequence[Row]: ...
    async def ledger(
        self, *, kinds: Sequence[str] = (), environment_id: str = "", after: int = 0, limit: int = 100
    ) -> Sequence[Row]:
        """Rows by rising position, for listings and proofs. Never followed as a queue."""
        ...

    async def newest(self, stream: str, kind: str) -> Row | None:
        """The last row of this kind in this stream; costs the same however long the journal is."""
        ...

    async def verify(self) -> Sequence[str]:
        """What is wrong with the hash chains; empty when every row is as it was written."""
        ...

    async def count(self, kind: str, since_us: int, *, actor_id: int | None = None, stream_prefix: str = "") -> int:
        """How many rows of this kind were written since then: by one account, in streams that begin so, or both."""
        ...

    # what expires: sessions, codes, spent token ids; and links of people
    async def kept(self, kind: str, key: str) -> Kept | None:
        """None as well for what has run out by the store's clock."""
        ...

    async def kept_by(self, kind: str, *, owner: str = "", after: str = "", limit: int = 100) -> Sequence[Kept]:
        """By rising key; of one owner, or of all. The next page begins after the last key shown."""
        ...

    async def keep(self, *changes: Keep) -> bool:
        """All of them or none; False where one does not fit. Beside journal rows: `append(…, keep=…)`."""
        ...

    async def purge(self) -> int:
        """Remove what ran out, and bodies of deliveries that are kept no longer. How many things went."""
        ...

    # projections
    async def promotion(self, stream: str) -> PromotionRow | None: ...
    async def open_promotions(self, *, environment_id: str = "", limit: int = 200) -> Sequence[PromotionRow]:
        """Open ones, earliest wake first."""
        ...

    async def promotions(
        self,
        *,
        application_id: str = "",
        environment_id: str = "",
        repository_id: int = 0,
        pull_request: int = 0,
        commit_prefix: str = "",
        verified: bool | None = None,
        limit: int = 50,
    ) -> Sequence[PromotionRow]:
        """Newest request first."""
        ...

    async def environment_state(self, environment_id: str) -> EnvironmentState:
        """Version 0 when nothing was ever written."""
        ...

    # leases and operations
    async def renew(self, resource: str, epoch: int, ttl_us: int) -> bool:
        """False when the lease is lost."""
        ...

    async def leases(self) -> Mapping[str, tuple[str, str, int, int]]:
        """resource → (holder, stream, epoch, until_us) of those that have not run out, by the store's clock."""
        ...

    async def save_operation(self, operation: Operation) -> bool:
        """False when its epoch is stale."""
        ...

    async def operation(self, stream: str, step: str) -> Operation | None: ...

    # reports
    async def surfaces(self, stream: str) -> Sequence[Surface]: ...
    async def save_surface(self, surface: Surface) -> None: ...
    async def unreported(self, limit: int) -> Sequence[tuple[str, int]]:
        """(stream, head_seq) of streams appended to with `show=True` since they were reported, oldest due first.

        Any stream may be shown, not only promotions: answers to commands and gates are streams of their own.
        """
        ...

    async def reported(self, stream: str, seq: int, *, retry_at_us: int = 0) -> None:
        """Everything up to `seq` is shown; or, with `retry_at_us`, showing it failed and is due again then."""
        ...

    # registry
    async def applications(self) -> Sequence[Application]: ...
    async def environments(self, application_id: str = "") -> Sequence[Environment]: ...
    async def application_of(self, repository_id: int) -> Sequence[Application]: ...
    async def application(self, application_id: str) -> Application | None: ...
    async def environment(self, environment_id: str) -> Environment | None: ...
    async def register(self, application: Application, environments: Sequence[Environment]) -> None:
        """Insert or replace the application and these environments, with a ledger row that names what changed."""
        ...

    # the alarm clock
    async def changed(self, timeout: float) -> bool:
        """True when something was written here or by another process, False after `timeout` seconds."""
        ...

    async def close(self) -> None: ...


class Repository(Protocol):
    """One repository through one scoped installation token. Every method may raise `Refused` or `Transient`.

    404 on a thing that may be absent is None, never an exception. Nothing is cached across permission questions.
    """

    # facts
    async def identity(self) -> RepositoryFacts:
        """By id (`GET /repositories/{id}`): follows a rename, shows a transfer."""
        ...

    async def variables(self) -> Mapping[str, str]: ...
    async def environment_variables(self, environment: str) -> Mapping[str, str] | None: ...
    async def file(self, path: str, ref: str) -> str | None:
        """Text of a file (at most 256 KiB) at a commit."""
        ...

    async def head(self, branch: str) -> str:
        """40-hex commit of a branch."""
        ...

    async def commit(self, sha: str) -> Commit | None: ...
    async def pull_request(self, number: int) -> PullRequest | None: ...
    async def pull_requests_of(self, sha: str) -> Sequence[PullRequest]: ...
    async def comment(self, comment_id: int) -> Comment | None: ...
    async def permission(self, login: str) -> Permission | None: ...
    async def compare(self, base: str, head: str) -> CommitRange: ...
    async def workflow_run(self, run_id: int) -> WorkflowRun | None: ...
    async def checks(self, sha: str, names: Collection[str]) -> Sequence[CheckSeen]:
        """The newest check run of each name and App on a commit, of these names only. Read whole or not at all."""
        ...

    async def collaborators(self) -> Sequence[Collaborator]:
        """Everybody with access, by id and role, paged to the end."""
        ...

    async def changed_files(self, number: int) -> Sequence[str]:
        """Paths that a pull request changes, renamed ones under both names; the first 3,000 as GitHub gives them."""
        ...

    # reports
    async def create_deployment(
        self, *, sha: str, environment: str, production: bool, description: str, marker: str
    ) -> int:
        """`auto_merge: false`, explicit contexts; refuses (`deployment_sha_mismatch`) when the answer's sha differs."""
        ...

    async def find_deployment(self, *, sha: str, environment: str, marker: str) -> int | None: ...
    async def deployment_status(self, deployment_id: int, status: DeploymentStatus) -> None: ...
    async def older_deployments(self, environment: str, before_id: int) -> Sequence[int]:
        """Deployments of our own App in that environment, older than `before_id`, whose last status is success."""
        ...

    async def create_check(self, check: CheckRun) -> int: ...
    async def update_check(self, check_id: int, check: CheckRun) -> None: ...
    async def find_check(self, *, sha: str, name: str, external_id: str) -> int | None: ...
    async def create_comment(self, number: int, body: str) -> int: ...
    async def update_comment(self, comment_id: int, body: str) -> bool:
        """False when it is gone; then the caller makes a new one."""
        ...

    async def find_comment(self, number: int, marker: str) -> int | None:
        """Our own App's comment that holds the hidden marker."""
        ...

    async def react(self, comment_id: int, content: str) -> None: ...
    async def answer_gate(self, run_id: int, environment: str, *, state: str | None, comment: str) -> None:
        """`state` is "approved", "rejected", or None for a comment only. Posts to a URL that we build (rule 27)."""
        ...


class GitHub(Protocol):
    """Doors to repositories, each with least privilege for the job."""

    async def team(self, installation_id: int, owner_id: int, team_id: int) -> Sequence[Account] | None:
        """Members of a team of this organisation, those of its child teams too, by ids alone; None: no such team there.

        Raises Refused (`github_forbidden`) when the App may not read members, Transient when GitHub does not answer.
        """
        ...

    def at(self, installation_id: int, repository_id: int, permissions: Mapping[str, str]) -> Repository: ...
    async def covers(self, installation_id: int, repository_id: int) -> bool:
        """Whether this installation sees this repository, by the App API (rule 20). Costs nothing while a token of
        `READ_FACTS` for both is warm."""
        ...

    async def installation_of(self, repository_id: int, owner_id: int) -> int | None:
        """Installation through which our App sees this repository of this owner, by numeric ids alone."""
        ...

    async def forget(self, installation_id: int) -> None:
        """Revoke and forget its tokens: it was suspended, removed, or got or lost repositories (rule 35)."""
        ...

    async def app(self) -> Mapping[str, Any]:
        """`GET /app`: slug, permissions, events. For `miso doctor`."""
        ...


class Azure(Protocol):
    """Reads and writes one environment. Only `bot.services.effects.once` calls `apply`."""

    async def observe(self, environment: Environment, *, request_id: str) -> Observed: ...
    async def apply(
        self,
        environment: Environment,
        step: Step,
        plan: Plan,
        *,
        stream: str,
        deadline: float,
        request_id: str,
        resume: str = "",
        saved: Callable[[str], Awaitable[None]],
        keep: Callable[[], Awaitable[None]],
    ) -> None:
        """One write and its polling, inside `deadline` seconds.

        `keep` is awaited directly before the one request that changes something: it gives a full lease or raises.

        Reads ownership tags first and refuses what is not ours (`not_ours`). `saved` is awaited with the continuation
        token as soon as Azure took the request; `resume` continues such a token instead of writing again.
        Raises `Refused` when Azure says no for good, `Transient(outcome_unknown=…)` otherwise.
        """
        ...

    async def capacity(self, environment: Environment, *, request_id: str) -> Capacity:
        """How many instances in how many zones Azure runs it with; for what does not exist yet, what it will get."""
        ...


class Images(Protocol):
    async def digest(self, image: str, tag: str, environment: Environment | None) -> str | None:
        """Digest that the tag points to now; None when there is none. `environment` gives the identity for ACR."""
        ...

    async def exists(self, image: str, digest: str, environment: Environment | None) -> bool: ...


class Probe(Protocol):
    async def ask(self, host: str, path: str, *, port: int, tls: bool) -> ProbeResult:
        """One GET to a host that ARM returned; never raises for what the host does."""
        ...


class Oidc(Protocol):
    """Miso as an OpenID provider for workflows, and its ear for the issuers on its list."""

    def discovery(self) -> Mapping[str, Any]: ...
    def jwks(self) -> Mapping[str, Any]: ...
    async def read_subject(self, token: str) -> SignedClaims:
        """A subject token of a listed issuer, verified in all but what the registry must say (rules 18 and 30).

        Raises Refused with a code of its own for each thing that is wrong, Transient (`issuer_unavailable`).
        """
        ...

    @property
    def trust(self) -> Book:
        """The trust rules of `config/trust`, compiled once."""
        ...

    async def issue(self, claims: DeployClaims) -> str:
        """A signed deploy token. Raises Transient (`key_vault_unavailable`)."""
        ...

    def read_own(self, token: str) -> OwnClaims:
        """A deploy token of ours. Raises Refused (`token_invalid`); revocation is the store's to know."""
        ...

    async def workflow_assertion(self, environment_id: str) -> str:
        """An assertion for Entra whose subject is `miso:workflow:<environment id>`, and never another."""
        ...

    def stamp(self, purpose: str, text: str) -> str:
        """A keyed hash of this text for this purpose: for forms and cookies. Keys rotate."""
        ...

    def stamped(self, purpose: str, text: str, stamp: str) -> bool:
        """Whether a stamp was made here, by the present key or the one before. In constant time."""
        ...

    async def tend(self) -> None:
        """Look after the keys: make a successor in time, notice what another process made, sign ahead."""
        ...


class SignIn(Protocol):
    """The sign-in service for people: authorization code with PKCE, no client secret."""

    async def begin(self, *, state: str, redirect: str, silent: bool = False) -> tuple[str, str]:
        """(address to send the browser to, what must be kept for `finish`: sealed by whoever keeps it).

        `silent`: nobody shall be asked anything; where that cannot be, the answer is an error.
        """
        ...

    async def finish(self, kept: str, answer: Mapping[str, str], *, redirect: str) -> SignedIn:
        """The answer that came back to `redirect`. Raises Refused, or Transient (`sign_in_unavailable`)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Miso:
    """Everything that a verb needs, once per process."""

    rules: Rules
    store: Store
    github: GitHub
    azure: Azure
    images: Images
    probe: Probe
    oidc: Oidc
    clock: Clock
    sign_in: SignIn | None = None
    """None: switched off."""
