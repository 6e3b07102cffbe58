"""Verbs about protected environments and about deployments that the App did not make."""

from __future__ import annotations

from typing import Literal, TypedDict

from bot.sim.github.actions import settle_gate
from bot.sim.github.deployments import STATES, add_deployment, add_status
from bot.sim.github.problems import Misused
from bot.sim.github.scenario.ground import Ground, Identified
from bot.sim.github.state import ACTIONS, Deployment, DeploymentStatus, Gate, Repository


class GateSeen(TypedDict):
    run_id: int
    deployment_id: int


class Gates(Ground):
    def _deploy(
        self, repo: Repository, *, environment: str, ref: str, sha: str, creator: int, run_id: int | None = None
    ) -> Deployment:
        state = self.github.state
        deployment = Deployment(
            id=state.next_id(),
            sha=sha,
            ref=ref,
            task="deploy",
            payload="",
            environment=environment,
            description=None,
            creator_id=creator,
            app=self._app_of(creator),
            created=state.clock(),
            transient=False,
            production=environment == "production",
            run_id=run_id,
        )
        return add_deployment(self.github, repo, deployment)

    def _app_of(self, account: int) -> str | None:
        """What a workflow's job does with its own token is done through GitHub Actions."""
        return ACTIONS if account == self.github.state.actions_bot.id else None

    def request_gate(self, repository: str, run_id: int, environment: str) -> GateSeen:
        """A job of the run reaches a protected environment and waits for the App's word."""
        repo = self.repo(repository)
        run = self.run(repo, run_id)
        if environment not in repo.environments:
            raise Misused(f"no environment {environment}")
        run.status, run.conclusion = "waiting", None
        bot = self.github.state.actions_bot.id
        deployment = self._deploy(
            repo, environment=environment, ref=run.head_branch, sha=run.head_sha, creator=bot, run_id=run.id
        )
        gate = Gate(run.id, environment, deployment.id, self.github.state.clock())
        repo.gates = [old for old in repo.gates if (old.run_id, old.environment) != (run.id, environment)]
        repo.gates.append(gate)
        if repo.environments[environment].app_rule:
            self.github.events.protection_rule(repo, gate, run)
        return {"run_id": run.id, "deployment_id": deployment.id}

    def review_gate(
        self,
        repository: str,
        run_id: int,
        environment: str,
        login: str,
        *,
        state: Literal["approved", "rejected"] = "approved",
        comment: str = "",
        bypass: bool = False,
    ) -> None:
        """A person answers at the gate: a reviewer for the reviewers' rule, an administrator past every rule.

        A reviewer's yes leaves the App's rule waiting for its own answer, any no ends the run. `bypass` is the button
        "Start all waiting jobs", which administrators have; whoever is no reviewer can do nothing else.
        """
        repo = self.repo(repository)
        run, who, rules = self.run(repo, run_id), self.person(login), repo.environments[environment]
        bypass = bypass or who.id not in rules.reviewers
        if bypass and (repo.collaborators.get(who.id) != "admin" or state == "rejected"):
            raise Misused(f"{login} may not bypass the rules of {environment}")
        gate = next((g for g in repo.gates if g.run_id == run_id and g.environment == environment), None)
        if gate is None:
            raise Misused(f"run {run_id} does not wait for {environment}")
        run.approvals.append({"environment": environment, "state": state, "user_id": who.id, "comment": comment})
        self.github.events.deployment_review(repo, gate, rules, who.id, state, comment)
        if state == "rejected" or bypass or not rules.app_rule:
            settle_gate(self.github, repo, gate, state)

    def someone_deploys(
        self, repository: str, login: str, environment: str, ref: str, *, state: str = "success"
    ) -> Identified:
        """A deployment that the App had no part in, with its first status."""
        repo, who = self.repo(repository), self.person(login)
        sha = repo.resolve(ref)
        if state not in STATES:
            raise Misused(f"state must be one of {', '.join(STATES)}")
        deployment = self._deploy(repo, environment=environment, ref=ref, sha=sha, creator=who.id)
        self.someone_reports(repository, login, deployment.id, state=state)
        return {"id": deployment.id}

    def someone_reports(
        self, repository: str, login: str, deployment_id: int, *, state: str = "success", description: str = ""
    ) -> Identified:
        """Somebody with write access reports a status of a deployment, whoever made that: the App's own, too."""
        repo, who = self.repo(repository), self.person(login)
        if state not in STATES:
            raise Misused(f"state must be one of {', '.join(STATES)}")
        if deployment_id not in repo.deployments:
            raise Misused(f"no deployment {deployment_id}")
        deployment = repo.deployments[deployment_id]
        status = DeploymentStatus(
            id=self.github.state.next_id(),
            state=state,
            description=description,
            environment=deployment.environment,
            environment_url="",
            log_url="",
            creator_id=who.id,
            app=self._app_of(who.id),
            at=self.github.state.clock(),
        )
        add_status(self.github, repo, deployment, status)
        return {"id": status.id}
