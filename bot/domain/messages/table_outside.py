"""The part of the table of reason codes that is about the outside: Azure, health, GitHub, registries, intake.

Read through `bot.domain.messages.refusals`. No sentence here ever holds a provider's own words (rule 14).
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.codes import Code
from bot.domain.decision import Fixer
from bot.domain.messages.entry import Entry

OUTSIDE: Mapping[Code, Entry] = {
    # Azure
    Code.AZURE_FEDERATION: Entry(
        "Azure does not trust Miso yet",
        "Microsoft Entra did not accept Miso's identity for this environment.",
        "`miso doctor` prints the issuer, subject and audience that the federated credential must have.",
        Fixer.OPERATOR,
    ),
    Code.AZURE_FORBIDDEN: Entry(
        "Azure forbids it",
        "Miso's identity may not do this in the environment's resource group.",
        "Give the identity the role that the setup guide names, on that resource group.",
        Fixer.OPERATOR,
    ),
    Code.AZURE_QUOTA: Entry(
        "Azure has no room left",
        "The subscription's quota for this kind of resource is used up.",
        "Free something in that region or ask Azure for more quota, then promote again.",
        Fixer.OPERATOR,
    ),
    Code.AZURE_CONFLICT: Entry(
        "Something else is changing it",
        "Azure is busy with another change of the same resource.",
        "Wait for it to end and promote again.",
        Fixer.WAIT,
    ),
    Code.AZURE_THROTTLED: Entry(
        "Azure asks to slow down", "Azure asked Miso to slow down.", "Miso goes on by itself.", Fixer.WAIT
    ),
    Code.AZURE_UNAVAILABLE: Entry(
        "Azure does not answer", "Azure did not answer as it should.", "Miso tries again by itself.", Fixer.WAIT
    ),
    Code.AZURE_TIMEOUT: Entry(
        "Azure took too long",
        "Azure did not finish {step} in time.",
        "Look at the resource in the Azure portal; when it has settled, promote again.",
        Fixer.OPERATOR,
    ),
    Code.AZURE_IMAGE_PULL: Entry(
        "Azure cannot pull the image",
        "Azure could not pull the image of {commit}.",
        "Check that the pull identity has the AcrPull role on the registry and that the registry can be reached.",
        Fixer.OPERATOR,
    ),
    Code.AZURE_REFUSED: Entry(
        "Azure refuses the change",
        "Azure does not accept what the registry says for this environment.",
        "The log of Miso has Azure's answer; whoever runs Miso can correct the registration.",
        Fixer.OPERATOR,
    ),
    Code.AZURE_MISSING: Entry(
        "The resource is not there",
        "Something that the environment needs does not exist in Azure: its resource group, plan or application.",
        "Create it, or correct the registration of the environment.",
        Fixer.OPERATOR,
    ),
    Code.NOT_OURS: Entry(
        "The resource belongs to somebody else",
        "There already is a resource of that name, and it does not carry this environment's tags.",
        "Its owner hands it over by setting the tag `miso-env` to this environment's GUID. Or register another name.",
        Fixer.OPERATOR,
    ),
    Code.DIGEST_MISMATCH: Entry(
        "Another image runs there",
        "Azure runs another image than the one that was deployed.",
        "Find out who changed it; then promote again.",
        Fixer.WRITER,
    ),
    Code.OUTCOME_UNKNOWN: Entry(
        "It is not known yet whether that worked",
        "Azure took the request, but does not show yet what came of it.",
        "Miso looks again before it does anything else.",
        Fixer.WAIT,
    ),
    # health
    Code.PROBE_UNHEALTHY: Entry(
        "The application is not healthy",
        "The new release was asked and is not healthy: {why}.",
        "Its own log says why. Correct it and merge the correction.",
        Fixer.WRITER,
    ),
    Code.PROBE_UNKNOWN: Entry(
        "Its health is not known",
        "Whether the new release is healthy could not be found out: {why}.",
        "Unknown is never taken for healthy. Check that its host can be reached from where Miso runs.",
        Fixer.OPERATOR,
    ),
    Code.PLATFORM_UNHEALTHY: Entry(
        "Azure says that it does not run",
        "Azure reports that the containers of the new release do not all run.",
        "Its own log says why. Correct it and merge the correction.",
        Fixer.WRITER,
    ),
    # GitHub
    Code.GITHUB_UNAVAILABLE: Entry(
        "GitHub does not answer", "GitHub did not answer as it should.", "Miso tries again by itself.", Fixer.WAIT
    ),
    Code.GITHUB_THROTTLED: Entry(
        "GitHub asks to slow down", "GitHub asked Miso to slow down.", "Miso goes on by itself.", Fixer.WAIT
    ),
    Code.GITHUB_FORBIDDEN: Entry(
        "The App may not do this",
        "The App's permissions in this repository do not allow what Miso has to do.",
        "An administrator can accept its permissions under Settings → GitHub Apps.",
        Fixer.MAINTAINER,
    ),
    Code.GITHUB_REFUSED: Entry(
        "GitHub refuses the request",
        "GitHub did not accept a request of Miso's.",
        "Whoever runs Miso finds the request in its log.",
        Fixer.OPERATOR,
    ),
    Code.DEPLOYMENT_SHA_MISMATCH: Entry(
        "GitHub recorded another commit",
        "GitHub's deployment does not show {commit}, so nothing was sent to Azure.",
        "Look for a branch or tag whose name is a commit, remove it, and promote again.",
        Fixer.WRITER,
    ),
    Code.OUT_OF_BAND: Entry(
        "Somebody else made a deployment",
        "A deployment to {stage} was made without Miso. It is recorded and was not carried out.",
        "Use `/promote`, so that it is checked, approved and can be rolled back.",
        Fixer.WRITER,
    ),
    Code.GATE_NO_DECISION: Entry(
        "The gate cannot decide yet",
        "This commit does not have every approval for {stage} that it needs yet, so the gate waits.",
        "Type `/promote` on its pull request, or let somebody else type `/approve` where it was asked for already.",
        Fixer.APPROVER,
    ),
    Code.GATE_EXPIRED: Entry(
        "The gate waited too long",
        "Nobody decided in time, so this job is rejected.",
        "Promote the release, then run the job again.",
        Fixer.WRITER,
    ),
    Code.GATE_APPROVED: Entry(
        "The gate is open",
        "This commit was asked for in {stage} and has every approval that it needs.",
        "There is nothing to do.",
        Fixer.NOBODY,
    ),
    Code.GATE_REJECTED: Entry(
        "The gate stays closed",
        "This commit was rejected, refused or rolled back in {stage}, so this job may not go on.",
        "`/why` on its pull request tells what stands in the way; then run the job again.",
        Fixer.WRITER,
    ),
    # registries
    Code.REGISTRY_UNAVAILABLE: Entry(
        "The image registry does not answer",
        "The image registry did not answer as it should.",
        "Miso tries again by itself.",
        Fixer.WAIT,
    ),
    Code.REGISTRY_REFUSED: Entry(
        "The image registry refuses",
        "The image registry does not let Miso look at the image.",
        "Make the image readable without signing in, or give the environment's identity the AcrPull role.",
        Fixer.OPERATOR,
    ),
    # intake
    Code.BODY_NOT_JSON: Entry(
        "The delivery is not JSON",
        "A webhook delivery was signed rightly but is not a JSON object.",
        "Set the content type of the App's webhook to `application/json`.",
        Fixer.OPERATOR,
    ),
    Code.BODY_TOO_DEEP: Entry(
        "The delivery is nested too deeply",
        "A webhook delivery is nested more deeply than GitHub's are.",
        "Look at it with `miso deliveries`; GitHub does not send such.",
        Fixer.OPERATOR,
    ),
    Code.BODY_DUPLICATE_KEYS: Entry(
        "The delivery says something twice",
        "A webhook delivery holds the same key twice, so its meaning is not certain.",
        "Look at it with `miso deliveries`; GitHub does not send such.",
        Fixer.OPERATOR,
    ),
    Code.EVENT_SHAPE: Entry(
        "The delivery is not what it claims",
        "A webhook delivery does not look like the event that its header names.",
        "Look at it with `miso deliveries`, and deliver it again from the App's settings if it is genuine.",
        Fixer.OPERATOR,
    ),
    Code.BODY_SEALED: Entry(
        "No key opens the delivery",
        "The body of a webhook delivery was sealed with a key that this Miso does not have.",
        "Bring back the key, and try the delivery again with `miso deliveries retry`.",
        Fixer.OPERATOR,
    ),
    Code.BODY_ERASED: Entry(
        "The delivery is erased",
        "The body of that webhook delivery is erased: it was kept for as long as `MISO_INBOX_DAYS` says.",
        "Deliver it again from the App's settings, or do again on GitHub what it told of.",
        Fixer.OPERATOR,
    ),
    Code.APP_MISMATCH: Entry(
        "The delivery is for another App",
        "A webhook delivery names another GitHub App as its target.",
        "Check which App's webhook points here.",
        Fixer.OPERATOR,
    ),
    Code.HANDLER_FAILED: Entry(
        "Something went wrong here",
        "Something went wrong on Miso's side, and this was not carried out.",
        "Nothing is lost: whoever runs Miso can see it with `miso deliveries` and start it again.",
        Fixer.OPERATOR,
    ),
    Code.STORE_UNAVAILABLE: Entry(
        "Miso's own record cannot be written",
        "Miso cannot write its record just now and does nothing that it could not record.",
        "It goes on by itself as soon as it can.",
        Fixer.WAIT,
    ),
}  # fmt: skip
"""Codes of the outside, in the order of `Code`."""
