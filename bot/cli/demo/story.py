"""The story that `miso demo` lives through: Contoso's shop, from a merge to production, with what can go wrong.

Each chapter lets people act in the pretend world and waits until the pretend GitHub shows what should come of it. At
the end nothing here is believed: `claims` asks the world again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.cli.demo.findings import Ends
from bot.cli.demo.ground import Ground
from bot.cli.demo.people import People, Release, View
from bot.cli.demo.telling import Teller
from bot.sim import scenarios
from bot.sim.scenarios import REPOSITORY

FOREIGN = "stranger/copy"
DEPLOY_WORKFLOW = ".github/workflows/deploy.yml"


@dataclass
class Story:
    """The story with what it has to remember for its end."""

    ground: Ground
    teller: Teller
    people: People
    gate_run: int = 0
    meanwhile: int = 0
    """A comment that was written while the controller was dead."""
    foreign_commit: str = ""
    foreign_digest: str = ""
    registration: str = ""
    administrators: tuple[int, ...] = ()
    """Who must agree before production is made looser, by number."""
    opened_pull: str = ""
    """Head of the pull request that stays open."""
    explained: Mapping[str, Any] = field(default_factory=dict)
    """What `miso why --json` said of the release that is held."""
    wanted: list[int] = field(default_factory=list)
    """Approvals that production wants by `miso why`, before and after the looser policy was agreed to."""
    answers: dict[str, str] = field(default_factory=dict)
    """What was replied to the commands that must be refused, by the code that is expected."""
    deploy_run: int = 0
    """The workflow that deploys by its own token."""
    old_token: str = field(default="", repr=False)
    """Signed before the keys were changed."""
    old_promotion: str = ""
    """What it may look at."""
    refusals: dict[str, str] = field(default_factory=dict)
    """Codes of what workflows and people at their machines must be refused, by what they tried."""
    remembered: dict[str, str] = field(default_factory=dict)
    """What was seen at those doors otherwise."""
    ledger: tuple[tuple[str, str, int], ...] = ()
    """The rows of the promotion that was asked for and approved at machines."""
    people_ids: Mapping[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    """Whatever opened something, by what it is."""
    leaks: tuple[str, ...] = ()
    """Which of them were found where."""

    def ends(self) -> Ends:
        """What the claims are judged by."""
        return Ends(
            releases=self.people.releases,
            gate_run=self.gate_run,
            meanwhile=self.meanwhile,
            foreign_commit=self.foreign_commit,
            foreign_digest=self.foreign_digest,
            opened_pull=self.opened_pull,
            explained=self.explained,
            wanted=tuple(self.wanted),
            answers=self.answers,
            refusals=self.refusals,
            remembered=self.remembered,
            ledger=self.ledger,
            people=self.people_ids,
            leaks=self.leaks,
        )

    async def opened(self) -> None:
        """The controller itself, the company, its registration."""
        ground, line = self.ground, self.teller.line
        with line("a company in the pretend world: a repository, three environments, a web app in Azure") as seen:
            shop = await scenarios.open_shop(
                ground.sim, issuer=ground.controller.url, registry=ground.world["registry"]
            )
            self.registration = shop.registration
            self.people_ids = shop.people
            self.administrators = (shop.people["bob"], shop.people["olga"])
            seen.shows = REPOSITORY
        with line("the controller starts: miso serve") as seen:
            ground.policy(administrators=self.administrators)
            await ground.controller.start()
            await ground.sim.deliver_to(f"{ground.controller.url}/github/webhooks")
            seen.shows = ground.controller.url
        with line("its operator registers it: miso register -") as seen:
            await ground.controller.run("register", "-", given=self.registration)
            seen.shows = "1 application, 3 environments"

    async def dev(self) -> None:
        """A merge reaches dev."""
        with self.teller.line("ann merges a change; its build is green") as seen:
            first = await self.people.ship("first", "Add a basket", author="ann")
            seen.shows = f"#{first.pull}, commit {first.commit[:12]}"
        with self.teller.line("dev runs that commit, and the pull request says so") as seen:
            await self.people.runs(first, "dev")
            seen.shows = await self.card(first, "dev")

    async def test(self) -> None:
        """A comment carries it to test."""
        first = self.people.releases["first"]
        with self.teller.line("ann types /promote test") as seen:
            seen.shows = first_line(await self.people.say("ann", "/promote test", on=first))
        with self.teller.line("test runs the same image, by digest") as seen:
            await self.people.runs(first, "test")
            seen.shows = await self.card(first, "test")

    async def production(self) -> None:
        """Production needs a second person."""
        first = self.people.releases["first"]
        with self.teller.line("ann types /promote production") as seen:
            self.answers["preview"] = answer = await self.people.say("ann", "/promote production", on=first)
            shown = [line for line in answer.splitlines() if "slot" in line or line.startswith("- Plan")]
            seen.shows = " ".join(line.removeprefix("- ") for line in reversed(shown))
        with self.teller.line("ann types /approve, and is refused: she is the author") as seen:
            self.answers["author_is_approver"] = answer = await self.people.say("ann", "/approve", on=first)
            seen.shows = first_line(answer)
        with self.teller.line("bob types /approve") as seen:
            seen.shows = first_line(await self.people.say("bob", "/approve", on=first))
        with self.teller.line("the web app's slot is deployed, probed, and swapped into production") as seen:
            await self.people.runs(first, "production")
            seen.shows = await self.card(first, "production")

    async def second(self) -> None:
        """The next release goes all the way, approved with the button of its check run."""
        with self.teller.line("bob merges another change; dev and test follow") as seen:
            release = await self.people.ship("second", "Show prices with tax", author="bob")
            await self._as_far_as_test(release, "bob")
            seen.shows = f"#{release.pull}, commit {release.commit[:12]}"
        with self.teller.line("bob asks for production, olga presses Approve"):
            await self.people.say("bob", "/promote production", on=release)
            await self.people.press("olga", "Approve", on=release, environment="production")
        with self.teller.line("production runs it; the older deployment is inactive now") as seen:
            await self.people.runs(release, "production")
            seen.shows = await self.card(release, "production")

    async def bad(self) -> None:
        """A bad release is undone by itself."""
        with self.teller.line("ann merges a change that works everywhere but in production") as seen:
            bad = await self.people.ship("bad", "Faster checkout", author="ann")
            await self._as_far_as_test(bad, "ann")
            await self.ground.sim.call("arm.mark", digest=bad.digest, mark="production_only")
            seen.shows = f"#{bad.pull}, commit {bad.commit[:12]}"
        with self.teller.line("bob approves it; in production it answers 503, and the slots are swapped back") as seen:
            await self.people.say("ann", "/promote production", on=bad)
            await self.people.say("bob", "/approve", on=bad)
            await self.people.runs(bad, "production", ends="failure")
            seen.shows = await self.card(bad, "production", says="runs again")
        with self.teller.line("ann asks for it again, and is refused: it is held until a person clears it") as seen:
            self.answers["release_held"] = answer = await self.people.say("ann", "/promote production", on=bad)
            seen.shows = first_line(answer)

    async def gate(self) -> None:
        """GitHub's own environment gate waits for the same decision."""
        with self.teller.line("ann merges a change; a workflow waits at the gate of production") as seen:
            gated = await self.people.ship("gated", "Calmer colours", author="ann")
            await self._as_far_as_test(gated, "ann")
            run = await self.ground.sim.run_workflow(
                REPOSITORY, path=DEPLOY_WORKFLOW, head_sha=gated.commit, conclusion=None
            )
            await self.ground.sim.request_gate(REPOSITORY, run["id"], "production")
            self.gate_run = run["id"]
            seen.shows = f"run {run['id']}"
        with self.teller.line("Miso tells the gate who can act, and leaves it closed") as seen:
            waiting = await self.people.until("a comment at the gate", lambda view: _gate_comments(view, self.gate_run))
            seen.shows = waiting[0]
        with self.teller.line("ann asks, bob approves; the gate opens and production runs it") as seen:
            await self.people.say("ann", "/promote production", on=gated)
            await self.people.say("bob", "/approve", on=gated)
            await self.people.runs(gated, "production")
            await self.people.until("the gate to open", lambda view: _gate_state(view, self.gate_run) == "approved")
            seen.shows = "gate approved"

    async def foreign(self) -> None:
        """A stranger's repository copies the variables."""
        sim = self.ground.sim
        with self.teller.line(f"{FOREIGN} copies every variable of {REPOSITORY} and builds") as seen:
            self.foreign_commit, self.foreign_digest = await scenarios.copy_shop(
                sim, FOREIGN, registry=self.ground.world["registry"]
            )
            check = await self.people.until(
                "a refused build",
                lambda view: view.check("miso / build", self.foreign_commit),
                repository=FOREIGN,
            )
            assert check is not None  # `until` gives only what is true
            seen.shows = str(check["summary"])

    async def killed(self) -> None:
        """kill -9 in the middle of a deployment. Meanwhile the operator has made the policy stricter."""
        sim, controller = self.ground.sim, self.ground.controller
        with self.teller.line("bob merges a change; Azure has taken it, and does not come to an end") as seen:
            await sim.add_fault("arm PUT .*containerGroups/shop-dev$", "stuck")
            release = await self.people.ship("recovered", "Remember the basket", author="bob")
            await self._polled(release)
            seen.shows = f"#{release.pull}, commit {release.commit[:12]}"
        with self.teller.line("kill -9 of the controller; bob types /status, and nobody listens") as seen:
            await controller.kill()
            said = await sim.comment(REPOSITORY, release.pull, "bob", "/status")
            self.meanwhile = said["id"]
            await sim.delivered()
            missed = [each for each in await sim.deliveries() if each["status_code"] != 202]
            seen.shows = f"{len(missed)} webhook{'' if len(missed) == 1 else 's'} missed"
        with self.teller.line("it is started again with a stricter policy, and reads what Azure did") as seen:
            self.ground.policy(administrators=self.administrators, stricter=True)
            seen.shows = "production wants two approvals, test is frozen"
            await controller.start()
            await sim.call("arm.unstick")
        with self.teller.line("dev runs the change after exactly one PUT") as seen:
            await self.people.runs(release, "dev")
            seen.shows = await self.card(release, "dev")
        with self.teller.line("an administrator has the missed webhooks sent again; bob gets his answer") as seen:
            for each in missed:
                # GitHub does not do it by itself: it shows them, with a button, among the App's deliveries.
                await sim.redeliver(each["id"])
            answer = await self.people.until(
                "an answer to bob's /status", lambda view: view.replies(release.pull, self.meanwhile)
            )
            seen.shows = _row(answer[0], "dev")

    async def _as_far_as_test(self, release: Release, who: str) -> None:
        await self.people.runs(release, "dev")
        await self.people.say(who, "/promote test", on=release)
        await self.people.runs(release, "test")

    async def _polled(self, release: Release) -> None:
        """Until the controller follows the operation that its PUT began: from then on it knows how to take it up."""
        await self.people.until("a deployment under way", lambda v: "in_progress" in v.states("dev", release.commit))
        await self.people.arm_polled(release.digest)

    async def card(self, release: Release, environment: str, *, says: str = "Live and healthy") -> str:
        """The row of an environment in the pull request's comment, once it says so."""

        return await self.people.until(
            f"a row for {environment} that says {says!r} in the comment",
            lambda view: _row(view.card(release.pull), environment, says),
        )


def _row(markdown: str, environment: str, says: str = "") -> str:
    """What runs in an environment and how that stands, from a table of Miso's; "" unless it says so."""
    lines = [line for line in markdown.splitlines() if line.startswith(f"| {environment} |") and says in line]
    return " · ".join(cell.strip() for cell in lines[0].split("|")[2:4]).replace("<br>", " ") if lines else ""


def first_line(answer: str) -> str:
    """The first line of an answer that is not its marker."""
    return next((line for line in answer.splitlines() if line and not line.startswith("<!--")), "")


def _gate_comments(view: View, run_id: int) -> list[str]:
    gate = view.gate(run_id)
    return list(gate["comments"]) if gate else []


def _gate_state(view: View, run_id: int) -> str:
    gate = view.gate(run_id)
    return str(gate["state"]) if gate else ""
