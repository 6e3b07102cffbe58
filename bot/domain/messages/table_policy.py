"""The part of the table of reason codes that is about the policy: what it demands, itself, and what its lint finds.

Read through `bot.domain.messages.refusals`.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.codes import Code
from bot.domain.decision import Fixer
from bot.domain.messages.entry import Entry

POLICY: Mapping[Code, Entry] = {
    # what it demands
    Code.IMAGE_SOURCE_REFUSED: Entry(
        "The policy takes no images from there",
        "The policy of {stage} takes no images from {host}.",
        "Push to a registry that the policy names and build again.",
        Fixer.WRITER,
    ),
    Code.BRANCH_NOT_ALLOWED: Entry(
        "Its branch may not come here",
        "Builds of {branch} may not go to {stage}.",
        "Merge it to a branch whose builds may; usually that is the default branch.",
        Fixer.WRITER,
    ),
    Code.CHECK_MISSING: Entry(
        "A required check has not run",
        "{stage} requires {check}, which has not run to its end on {commit}.",
        "Run it on this commit, or wait for it. A check of the same name by another App does not count.",
        Fixer.WRITER,
    ),
    Code.CHECK_FAILED: Entry(
        "A required check did not succeed",
        "{stage} requires {check}, which did not succeed on {commit}.",
        "Correct what it found and merge that, or run it again if it was disturbed.",
        Fixer.WRITER,
    ),
    Code.CHECKS_UNKNOWN: Entry(
        "What the checks say is not known",
        "GitHub did not say which checks ran on {commit}, so none of them counts.",
        "Try again in a minute.",
        Fixer.WAIT,
    ),
    Code.SOAK_NOT_OVER: Entry(
        "It has not been healthy for long enough",
        "The release of {commit} must have been healthy in {stage} for a while first: {minutes} to go.",
        "Once that is over, type {command}.",
        Fixer.WAIT,
        "/promote <environment> @sha",
    ),
    Code.CAPACITY_TOO_SMALL: Entry(
        "It does not run on enough",
        "{stage} must run on at least {instances} in {zones}, and Azure shows less.",
        "Scale its App Service plan out, or have the policy changed by whoever runs Miso.",
        Fixer.OPERATOR,
    ),
    Code.CAPACITY_UNKNOWN: Entry(
        "What it runs on is not known",
        "Azure did not say on how many instances and zones {stage} runs, so nothing shows that there are enough.",
        "Try again in a minute.",
        Fixer.WAIT,
    ),
    Code.PROBE_TOO_WEAK: Entry(
        "The policy wants a stronger proof of health",
        "The policy of {stage} wants answers to Miso's own requests, and only Azure's word is asked there.",
        "Whoever runs Miso can register the environment with a probe over HTTP.",
        Fixer.OPERATOR,
    ),
    Code.FROZEN: Entry(
        "Nothing is promoted there now",
        "{stage} is frozen until {until}{reason}.",
        "Ask again then. `/rollback` works meanwhile; what cannot wait takes `--break-glass` and a second person.",
        Fixer.WAIT,
    ),
    Code.LOCKED: Entry(
        "Somebody keeps it as it is",
        "{stage} is locked by {who} until {until}{reason}.",
        "Ask {who} to take it off with {command}, or wait.",
        Fixer.WRITER,
        "/unlock <environment>",
    ),
    Code.RELEASE_REJECTED: Entry(
        "The release was rejected for good",
        "The release of {commit} was rejected for good by {who}{reason}.",
        "Promote a correction. If the rejection was a mistake, an operator types {command}.",
        Fixer.WRITER,
        "/clear @sha <reason>",
    ),
    Code.NOT_YOUR_TURN: Entry(
        "Another release goes first",
        "An older request for {stage} goes first; here each waits its turn.",
        "It goes on by itself.",
        Fixer.WAIT,
    ),
    Code.CONFIG_LOOSER: Entry(
        "The repository asks for less than the policy",
        "{path} allows more in {stage} than the policy of this installation: {key}. The tighter value counts.",
        "Take it out, or make it tighter.",
        Fixer.WRITER,
    ),
    # the policy itself
    Code.NO_RULES: Entry(
        "There are no rules for this",
        "No policy says who may do this here, and without a rule nothing is allowed.",
        "Whoever runs Miso can write a policy for this environment.",
        Fixer.OPERATOR,
    ),
    Code.STATE_UNKNOWN: Entry(
        "Not everything is known",
        "Miso could not establish what runs where, and does not guess.",
        "Try again in a minute.",
        Fixer.WAIT,
    ),
    Code.POLICY_NOT_PROPOSED: Entry(
        "No such policy waits",
        "No policy {hash} waits for anybody's agreement.",
        "`/policy` shows what waits.",
        Fixer.REQUESTER,
    ),
    Code.POLICY_WAITS: Entry(
        "A looser policy waits for agreement",
        "The policy {hash} would make production looser and waits for two administrators; until then the one before it "
        "counts.",
        "Administrators read the difference with `/policy` and then type {command}.",
        Fixer.OPERATOR,
        "/policy accept <hash>",
    ),
    Code.DRIFTED: Entry(
        "It was changed without Miso",
        "{stage} does not run what Miso put there: it was changed by somebody or something else.",
        "Find out who it was. Promoting puts back what should run: {command}.",
        Fixer.WRITER,
        "/promote <environment> @sha",
    ),
    # what the lint finds
    Code.NOBODY_CAN_APPROVE: Entry(
        "Nobody could approve it",
        "Fewer people may approve in {stage} than must, so nothing could ever go there.",
        "Give more people access with the role that the policy names, or let the policy name more of them.",
        Fixer.OPERATOR,
    ),
    Code.ONLY_REQUESTER_APPROVES: Entry(
        "Only the requester could approve it",
        "When {who} asks for something in {stage}, too few others are left who may approve it.",
        "Let the policy name more people who may approve, or give more people the role.",
        Fixer.OPERATOR,
    ),
    Code.NOBODY_CAN_REQUEST: Entry(
        "Nobody could ask for it",
        "Nobody with access to the repository may ask for anything in {stage}.",
        "Give somebody the role that the policy names, or let the policy name others.",
        Fixer.OPERATOR,
    ),
    Code.STAGE_UNREACHABLE: Entry(
        "It could never be reached",
        "Nothing could ever reach {stage}, whatever anybody does{reason}.",
        "Change the policy or the registration, so that both can be met at once.",
        Fixer.OPERATOR,
    ),
    Code.ALWAYS_FROZEN: Entry(
        "It is always frozen",
        "The freezes of {stage} leave no time in which anything could be promoted.",
        "Shorten one of them, or give it exceptions.",
        Fixer.OPERATOR,
    ),
    Code.NO_ADMINISTRATORS: Entry(
        "The policy has too few administrators",
        "Fewer than two administrators are named, so nobody could ever accept a policy that makes production looser.",
        "Name at least two people under `administrators`, by their numeric GitHub ids.",
        Fixer.OPERATOR,
    ),
}  # fmt: skip
"""Codes of what the policy demands, of the policy itself and of its lint, in the order of `Code`."""
