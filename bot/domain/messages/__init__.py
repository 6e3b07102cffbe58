"""Every sentence that Miso says, and the shape of every card that it shows. Nowhere else holds words for people.

Called by verbs, doors and windows alike: values in, Markdown out. Pure: it fetches nothing, knows no clock and decides
nothing. Text that somebody outside wrote passes `quote` or `plain` before it is part of anything (security rule 14).
"""

from bot.domain.messages.escape import bare, plain, quote, vouched
from bot.domain.messages.refusals import TABLE, WHO, Explanation, explain, fault, refusal

__all__ = ["TABLE", "WHO", "Explanation", "bare", "explain", "fault", "plain", "quote", "refusal", "vouched"]
