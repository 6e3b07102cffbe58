"""Every sentence that Miso says, and the shape of every card that it shows. Nowhere else holds words for people.

Called by verbs, doors and windows alike: values in, Markdown out. Pure: it fetches nothing, knows no clock and decides
nothing. Text that somebody outside wrote passes `quote` or `plain` before it is part of anything (security rule 14).
"""

from bot.domain.messages.approvals import PARTS
from bot.domain.messages.buttons import Button, button_identifier, buttons_of, is_current, parse_button
from bot.domain.messages.escape import bare, plain, quote, vouched
from bot.domain.messages.notices import (
    BUILD_CHECK,
    build_check,
    foreign_check,
    gate_comment,
    out_of_band,
    retired,
)
from bot.domain.messages.policy_replies import (
    reply_policy,
    reply_policy_accepted,
    reply_policy_counted,
    reply_policy_rejected,
)
from bot.domain.messages.refusals import (
    TABLE,
    WHO,
    Explanation,
    explain,
    explain_rule,
    fault,
    refusal,
    refusal_of,
)
from bot.domain.messages.replies import (
    HELP,
    reply_apology,
    reply_approved,
    reply_banned,
    reply_cancelled,
    reply_changed,
    reply_clear_asked,
    reply_cleared,
    reply_decision,
    reply_help,
    reply_locked,
    reply_marker,
    reply_refused,
    reply_rejected,
    reply_requested,
    reply_revoked,
    reply_status,
    reply_unlocked,
    reply_why,
    with_marker,
)
from bot.domain.messages.report import Links, Report, check_name, report
from bot.domain.messages.rules_text import RULES, RuleLine, rules_markdown, rules_table
from bot.domain.messages.sticky import Standing, marker, sticky_comment, sticky_marker
from bot.domain.messages.waiting import reminder, superseded
from bot.domain.messages.words import headline, next_step, who_approves, who_may

__all__ = [
    "BUILD_CHECK",
    "HELP",
    "PARTS",
    "RULES",
    "TABLE",
    "WHO",
    "Button",
    "Explanation",
    "Links",
    "Report",
    "RuleLine",
    "Standing",
    "bare",
    "build_check",
    "button_identifier",
    "buttons_of",
    "check_name",
    "explain",
    "explain_rule",
    "fault",
    "foreign_check",
    "gate_comment",
    "headline",
    "is_current",
    "marker",
    "next_step",
    "out_of_band",
    "parse_button",
    "plain",
    "quote",
    "refusal",
    "refusal_of",
    "reminder",
    "reply_apology",
    "reply_approved",
    "reply_banned",
    "reply_cancelled",
    "reply_changed",
    "reply_clear_asked",
    "reply_cleared",
    "reply_decision",
    "reply_help",
    "reply_locked",
    "reply_marker",
    "reply_policy",
    "reply_policy_accepted",
    "reply_policy_counted",
    "reply_policy_rejected",
    "reply_refused",
    "reply_rejected",
    "reply_requested",
    "reply_revoked",
    "reply_status",
    "reply_unlocked",
    "reply_why",
    "report",
    "retired",
    "rules_markdown",
    "rules_table",
    "sticky_comment",
    "sticky_marker",
    "superseded",
    "vouched",
    "who_approves",
    "who_may",
    "with_marker",
]
