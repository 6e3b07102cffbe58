"""What is said of a request while it waits: the reminder, and the word that something newer took its place.

Called by the verbs that look after waiting. Waiting is never silent, and nobody is called by name with an `@`.
"""

from __future__ import annotations

from bot.domain.messages.approvals import approvals_table, break_glass
from bot.domain.messages.entry import commit as short
from bot.domain.messages.entry import end, moment
from bot.domain.messages.words import approvals_wanted, missing, person, who_approves
from bot.domain.model import Environment
from bot.domain.promotion import Promotion


def reminder(promotion: Promotion, environment: Environment, who_may: str = "", *, now_us: int = 0) -> str:
    """What waits since when, who can act, the line to type, and when it ends by itself.

    `who_may`: Markdown such as `words.who_may` gives; by default the policy that it was asked under says it.
    """
    request = promotion.request
    release, who = request.release, who_may or who_approves(request.policy)
    hours = max(now_us - promotion.requested_us, 0) // 3_600_000_000
    age = f", for {hours} hour{'' if hours == 1 else 's'} now" if hours else ""
    wants = f"It needs {approvals_wanted(promotion)}." if missing(promotion) else "It has every approval."
    parts = (
        f"**{short(release.commit)} still waits for {environment.stage}.** {person(request.requester)} asked for it "
        f"{moment(promotion.requested_us)}{age}. {wants}",
        break_glass(promotion),
        approvals_table(promotion, environment),
        f"Who can act: {who}, but nobody whose work is in it. They type `/approve @{release.commit[:12]}`, or "
        "`/reject` with a reason. Whoever asked for it types `/cancel`.",
        f"If nobody decides, it ends at {end(request.deadline_us)}." if request.deadline_us else "",
    )
    return "\n\n".join(part for part in parts if part)


def superseded(promotion: Promotion, environment: Environment, newer: Promotion) -> str:
    """To whoever waited for a release that a newer one took the place of."""
    carried = any(approval.kept_from == promotion.stream for approval in newer.approvals)
    lost = promotion.approvals and not carried
    given = " The approvals that it had do not count for the newer one." if lost else ""
    where = f" on #{newer.request.pull_request}" if newer.request.pull_request else ""
    return (
        f"{short(promotion.request.release.commit)} does not go to {environment.stage}: "
        f"{short(newer.request.release.commit)} was asked for by {person(newer.request.requester)}{where} before it "
        f"began, and it is newer. Nothing was deployed of it.{given} Its changes go along with the newer one."
    )
